package e2edashboard_test

import (
	"testing"
)

// The program ends and is started again at the same address: the page says so in between, and
// goes on with the new program by itself.
func TestRestart(t *testing.T) {
	b := browser(t)
	p := launch(t)
	p.submit("before", stay)
	// A failed connection writes to the console; the page cannot prevent it.
	tab := open(b, t, 1280, 900, "net::ERR_", "Failed to load resource")
	tab.visit(p.url("#/images/overview"), "before")
	tab.until(`document.querySelector('.link.live')`)

	p.stop()
	tab.untilText("The server does not answer")
	p.start()
	p.submit("after", stay)
	tab.untilText("after")
	tab.until(`document.querySelector('.link.live') && !document.querySelector('main').innerText.includes('does not answer')`)
}
