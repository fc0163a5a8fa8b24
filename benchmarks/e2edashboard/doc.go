// Package e2edashboard drives the page of adapters/dashboard in a real browser. Its tests are skipped
// unless a flag gives the path of a browser: make e2e-dashboard installs Chromium and runs them.
package e2edashboard
