"""The faces: command line, REST, chat. Parse, call the service, render."""
