// Not a module: it runs before the page is painted, so that a chosen theme does not flash.
{
  const stored = (() => {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null; // storage is switched off: the system's choice is taken
    }
  })();
  if (stored === "light" || stored === "dark") document.documentElement.dataset.theme = stored;
}
