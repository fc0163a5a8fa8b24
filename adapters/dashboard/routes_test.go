package dashboard_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/seed56799101/taskmanager/adapters/dashboard"
)

// mounts are handlers that have the dashboard at a prefix, each in another way.
func mounts(d http.Handler) map[string]http.Handler {
	mux := func(pattern string, h http.Handler) http.Handler {
		m := http.NewServeMux()
		m.Handle(pattern, h)
		return m
	}
	return map[string]http.Handler{
		"":              mux("/", d),
		"/debug/tasks":  mux("/debug/tasks/", d),
		"/strip":        mux("/strip/", http.StripPrefix("/strip", d)),
		"/strip/slash":  mux("/strip/slash/", http.StripPrefix("/strip/slash/", d)),
		"/a/b":          mux("/a/", http.StripPrefix("/a", mux("/b/", d))),
		"/api/v1/tasks": mux("/api/v1/tasks/", d),
		"/assets/tasks": mux("/assets/tasks/", d),
		"/no/mux":       d,
		"/with%20space": mux("/with%20space/", d),
	}
}

func TestMounts(t *testing.T) {
	_, d := watched(t)
	version := get[struct{ Version string }](t, d, "meta").Version
	for prefix, h := range mounts(d) {
		at := strings.ReplaceAll(prefix, " ", "%20")
		page := do(t, h, http.MethodGet, at+"/", "")
		if page.Code != http.StatusOK || !strings.Contains(page.Body.String(), "<title>Tasks</title>") {
			t.Errorf("the page at %q: status %d, %s", prefix, page.Code, page.Body)
		}
		for place, want := range map[string]int{
			"/api/v1/overview":                             http.StatusOK,
			"/api/v1/nothing":                              http.StatusNotFound,
			"/api/v1/":                                     http.StatusNotFound,
			"/api/v1/meta/":                                http.StatusNotFound,
			"/assets/":                                     http.StatusNotFound,
			"/assets/x/":                                   http.StatusNotFound,
			"/api/v1/meta?m=nope":                          http.StatusNotFound,
			"/api/v1/meta?m=%zz":                           http.StatusBadRequest,
			"/api/v1/events?m=%zz":                         http.StatusBadRequest,
			"/assets/" + version + "/nothing.js":           http.StatusNotFound,
			"/assets/" + version + "/index.html":           http.StatusNotFound,
			"/assets/" + version + "/..%2fdashboard.go":    http.StatusNotFound,
			"/assets/0123456789abcdef/style.css":           http.StatusNotFound,
			"/favicon.ico":                                 http.StatusNotFound,
			"/assets/" + version + "/%2e%2e/%2e%2e/go.mod": http.StatusNotFound,
		} {
			// A mux may redirect to a clean path; that is not about the dashboard.
			if got := do(t, h, http.MethodGet, at+place, "").Code; got != want && got != http.StatusTemporaryRedirect {
				t.Errorf("GET %s%s: status %d, want %d", prefix, place, got, want)
			}
		}
	}
}

func TestThePageEndsWithASlash(t *testing.T) {
	_, d := watched(t)
	for target, h := range map[string]http.Handler{
		"/debug/tasks":       d,
		"/debug/tasks?x=y":   http.StripPrefix("/debug/tasks", d),
		"/debug/with%20%2Fx": d,
	} {
		w := do(t, h, http.MethodGet, target, "")
		want := "./tasks/"
		if strings.Contains(target, "with") {
			want = "./with%20%2Fx/"
		}
		if got := w.Header().Get("Location"); w.Code != http.StatusMovedPermanently || got != want {
			t.Errorf("GET %s: status %d to %q, want a redirect to %q", target, w.Code, got, want)
		}
	}
}

func TestHeaders(t *testing.T) {
	_, d := watched(t)
	version := get[struct{ Version string }](t, d, "meta").Version
	for _, c := range []struct{ target, mediaType, cache string }{
		{"/", "text/html; charset=utf-8", "no-cache"},
		{"/api/v1/meta", "application/json", "no-store"},
		{"/api/v1/nothing", "application/json", "no-store"},
		{"/assets/" + version + "/nothing.js", "application/json", ""},
	} {
		h := do(t, d, http.MethodGet, c.target, "").Header()
		equal(t, "media type of "+c.target, h.Get("Content-Type"), c.mediaType)
		equal(t, "caching of "+c.target, h.Get("Cache-Control"), c.cache)
		equal(t, "policy of "+c.target, h.Get("Content-Security-Policy"),
			"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "+
				"form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types lit-html")
		equal(t, "sniffing of "+c.target, h.Get("X-Content-Type-Options"), "nosniff")
		equal(t, "referrer policy of "+c.target, h.Get("Referrer-Policy"), "no-referrer")
		equal(t, "resource policy of "+c.target, h.Get("Cross-Origin-Resource-Policy"), "same-origin")
		equal(t, "opener policy of "+c.target, h.Get("Cross-Origin-Opener-Policy"), "same-origin")
		for name := range h {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%s has the header %s, which lets other sites read it", c.target, name)
			}
		}
	}
}

func TestHosts(t *testing.T) {
	m := start(t)
	d := show(t, dashboard.Manager("m", m), dashboard.Hosts("Tasks.Example.com", "10.0.0.7"))
	for host, served := range map[string]bool{
		"localhost": true, "LOCALHOST:8080": true, "localhost.": true, "127.0.0.1": true, "10.1.2.3:80": true,
		"[::1]": true, "[::1]:8080": true, "[fe80::1%25eth0]:80": true, "::1": true,
		"tasks.example.com": true, "TASKS.example.COM.:443": true,
		"": false, "example.com": false, "evil.example:80": false, "localhost.evil.example": false,
		"tasks.example.com.evil.example": false, "xtasks.example.com": false, "127.0.0.1.evil.example": false,
		"evil.localhost": false, "*": false, "0x7f000001": false, "127.1": false, "localhost:80:80": false,
	} {
		for _, target := range []string{"/", "/api/v1/overview", "/api/v1/events", "/assets/x/y.js"} {
			if target == "/api/v1/events" && served {
				continue // it would not end
			}
			w := do(t, d, http.MethodGet, target, "", "Host", host)
			if refused := w.Code == http.StatusMisdirectedRequest; refused == served {
				t.Errorf("GET %s of host %q: status %d", target, host, w.Code)
			} else if refused && !strings.Contains(w.Body.String(), "Hosts") {
				t.Errorf("the answer to host %q does not say what to do: %s", host, w.Body)
			}
		}
	}
}

func TestOtherSitesAreRefused(t *testing.T) {
	_, d := watched(t)
	for _, c := range []struct {
		method  string
		headers []string
		refused bool
	}{
		{http.MethodGet, nil, false},
		{http.MethodGet, []string{"Sec-Fetch-Site", "same-origin"}, false},
		{http.MethodGet, []string{"Sec-Fetch-Site", "none"}, false},
		{http.MethodGet, []string{"Sec-Fetch-Site", "same-site"}, true},
		{http.MethodGet, []string{"Sec-Fetch-Site", "cross-site"}, true},
		{http.MethodGet, []string{"Sec-Fetch-Site", "other"}, true},
		{http.MethodPost, []string{"Sec-Fetch-Site", "cross-site"}, true},
		{http.MethodPost, []string{"Origin", "http://evil.example"}, true},
		{http.MethodPost, []string{"Origin", "null"}, true},
		{http.MethodPost, []string{"Origin", "http://localhost"}, false},
		{http.MethodHead, []string{"Sec-Fetch-Site", "cross-site"}, true},
		{http.MethodGet, []string{"Origin", "http://evil.example"}, true},
		{http.MethodGet, []string{"Origin", "null"}, true},
		{http.MethodGet, []string{"Origin", "http://localhost"}, false},
		{http.MethodHead, []string{"Origin", "null"}, true},
	} {
		for _, place := range []string{"overview", "tasks", "meta"} {
			got := do(t, d, c.method, "/api/v1/"+place, "", c.headers...).Code
			if (got == http.StatusForbidden) != c.refused {
				t.Errorf("%s %s with %v: status %d", c.method, place, c.headers, got)
			}
		}
	}
	// A link from another site to the page is harmless.
	if got := do(t, d, http.MethodGet, "/", "", "Sec-Fetch-Site", "cross-site").Code; got != http.StatusOK {
		t.Errorf("a link to the page: status %d", got)
	}
}

func TestMethods(t *testing.T) {
	_, d := watched(t)
	for _, c := range []struct {
		method, target string
		want           int
	}{
		{http.MethodPost, "/", http.StatusMethodNotAllowed},
		{http.MethodDelete, "/assets/x", http.StatusMethodNotAllowed},
		{http.MethodPost, "/api/v1/tasks", http.StatusMethodNotAllowed},
		{http.MethodGet, "/api/v1/actions", http.StatusMethodNotAllowed},
		{http.MethodHead, "/api/v1/events", http.StatusMethodNotAllowed},
		{http.MethodOptions, "/api/v1/actions", http.StatusMethodNotAllowed},
		{http.MethodHead, "/", http.StatusOK},
		{http.MethodHead, "/api/v1/overview", http.StatusOK},
	} {
		w := do(t, d, c.method, c.target, "")
		if w.Code != c.want || w.Code == http.StatusMethodNotAllowed && w.Header().Get("Allow") == "" {
			t.Errorf("%s %s: status %d, Allow %q, want %d", c.method, c.target, w.Code, w.Header().Get("Allow"), c.want)
		}
	}
}

// With a router that tells no pattern, the page may still be below a place that is called like one of the dashboard.
func TestThePageBelowAPlaceOfTheAPI(t *testing.T) {
	_, d := watched(t)
	for _, target := range []string{"/api/v1/tasks/", "/assets/tasks/"} {
		equal(t, "status of "+target, do(t, d, http.MethodGet, target, "", "Accept", "text/html,*/*").Code, http.StatusOK)
	}
}
