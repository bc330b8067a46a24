// Runs before the page is drawn, so that a chosen theme doesn't flash the other one first.
(function () {
  try {
    var chosen = localStorage.getItem("statewire-theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch (e) { /* no storage: the system's preference counts */ }
})();
