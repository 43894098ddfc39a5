// Applies the chosen theme before the first paint. Classic and small: it blocks rendering on purpose.
(() => {
  try {
    const theme = localStorage.getItem("ordercast.theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // Storage may be closed to us; then the system's theme stays.
  }
})();
