package e2edashboard_test

import (
	"net/http"
	"strings"
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

// A proxy that lets no stream through: the page polls, and says so.
func TestPolling(t *testing.T) {
	b := browser(t)
	p := launch(t, func(p *program) { p.through = withoutStreams })
	tab := open(b, t, 1280, 900, "status of 502 (Bad Gateway)")
	tab.visit(p.url("#/images/overview"), "No task runs, and none waits.")
	tab.until(`document.querySelector('.link.polling')`)
	p.submit("polled", stay)
	tab.untilText("polled")
}

// withoutStreams refuses streams.
func withoutStreams(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/events") {
			http.Error(w, "no streams", http.StatusBadGateway)
			return
		}
		h.ServeHTTP(w, r)
	})
}
