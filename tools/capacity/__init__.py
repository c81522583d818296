"""Clinic capacity: waits, utilisation and cost of pathways through beds, scanners, chairs and staff."""
