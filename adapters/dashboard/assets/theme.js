// Sets the theme before the first paint, so that the page does not flash. It is a classic script,
// because modules run after the page has been drawn.
(() => {
  const system = matchMedia('(prefers-color-scheme: dark)');
  const root = document.documentElement;
  const stored = () => {
    try {
      return localStorage.getItem('taskmanager-theme');
    } catch {
      return null;
    } // storage is off
  };
  const store = theme => {
    try {
      if (theme) localStorage.setItem('taskmanager-theme', theme);
      else localStorage.removeItem('taskmanager-theme');
    } catch {
      /* storage is off: the choice lasts until the page is closed */
    }
  };
  const fromSystem = () => (system.matches ? 'dark' : 'light');
  const apply = theme => {
    if (root.dataset.theme === theme) return;
    root.dataset.theme = theme;
    root.dispatchEvent(new Event('themechange'));
  };

  apply(stored() ?? fromSystem());
  system.addEventListener('change', () => {
    if (!stored()) apply(fromSystem());
  });

  // A choice that equals the system's is forgotten: the page follows the system again.
  root.addEventListener('toggletheme', () => {
    const theme = root.dataset.theme === 'dark' ? 'light' : 'dark';
    store(theme === fromSystem() ? null : theme);
    apply(theme);
  });
})();
