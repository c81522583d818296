() => {
  const root = document.body;
  const saved = localStorage.getItem("cohort-theme");
  const wantsDark = saved ? saved === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.classList.toggle("dark", wantsDark);
  document.documentElement.lang = "en";

  const started = new WeakMap();
  setInterval(() => {
    for (const one of document.querySelectorAll("[data-elapsed]")) {
      // The card is drawn anew with each step; the seconds go on from the page's own clock.
      const tab = one.closest(".html-container") || one;
      if (!started.has(tab)) started.set(tab, Date.now());
      one.textContent = Math.round((Date.now() - started.get(tab)) / 1000);
    }
    for (const tab of document.querySelectorAll(".html-container")) {
      if (started.has(tab) && !tab.querySelector("[data-elapsed]")) started.delete(tab);
    }
  }, 250);

  document.addEventListener("click", (event) => {
    if (event.target.closest("#theme")) window.cohort.toggleTheme();
  });

  // Arrow keys between tabs, as in any other tab list.
  document.addEventListener("keydown", (event) => {
    const tab = event.target.closest && event.target.closest('[role="tab"]');
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!tab || !step) return;
    const all = [...tab.closest('[role="tablist"]').querySelectorAll('[role="tab"]')];
    const next = all[(all.indexOf(tab) + step + all.length) % all.length];
    next.focus();
    next.click();
    event.preventDefault();
  });

  window.cohort = {
    toggleTheme() {
      const dark = root.classList.toggle("dark");
      localStorage.setItem("cohort-theme", dark ? "dark" : "light");
    },
    focus(selector) {
      setTimeout(() => {
        const box = document.querySelector(selector);
        if (box) { box.focus(); box.setSelectionRange(box.value.length, box.value.length); }
      }, 150);
    },
    // An answer is read from its top.
    showQuestion() {
      setTimeout(() => {
        const last = document.querySelector("#chat .ct-last .ct-asked");
        if (last) last.scrollIntoView({ block: "start", behavior: "auto" });
      }, 80);
    },
    download(file) {
      const bytes = Uint8Array.from(atob(file.data), (c) => c.charCodeAt(0));
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([bytes], { type: file.type }));
      link.download = file.name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    },
  };
}
