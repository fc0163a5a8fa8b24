package dashboard

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// securityPolicy lets the page load only what this server sends, and only lit-html make HTML of text.
const securityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types lit-html"

// headers are those of every answer.
var headers = map[string]string{
	"Content-Security-Policy":      securityPolicy,
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Referrer-Policy":              "no-referrer",
	"X-Content-Type-Options":       "nosniff",
	"X-Robots-Tag":                 "noindex",
}

// The places below that of the page.
const (
	apiPlace   = "/api/v1/"
	assetPlace = "/assets/"
)

// ServeHTTP answers requests for the page, its assets and its data. It goes by the end of the path, so
// that it can be mounted under any prefix, which may be stripped or not.
func (d *Dashboard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for name, value := range headers {
		w.Header().Set(name, value)
	}
	if !d.serves(r.Host) {
		fail(w, &failure{http.StatusMisdirectedRequest,
			"the dashboard is not reached under this host name; use localhost or an IP address, or add the name to the option Hosts of package dashboard"})
		return
	}
	place := "/" + strings.TrimPrefix(r.URL.Path, "/")
	if name, ok := below(place, apiPlace); ok && !strings.Contains(name, "/") {
		d.serveAPI(w, r, name)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		refuseMethod(w, "GET, HEAD")
		return
	}
	if name, ok := below(place, assetPlace+assets().version+"/"); ok {
		serveAsset(w, name)
		return
	}
	if strings.Contains(place, assetPlace) && !strings.HasSuffix(place, "/") || strayed(r, place) {
		fail(w, &failure{http.StatusNotFound, "there is nothing here; load the page again, since the program may have been updated"})
		return
	}
	d.servePage(w, r, place)
}

// strayed reports whether a path with a slash at its end is below that of the data or of the files, and is not that
// of the page. The page may be mounted there: then the mux has such a pattern or, with another router, a browser
// asks for the page.
func strayed(r *http.Request, place string) bool {
	i := max(strings.LastIndex(place, apiPlace), strings.LastIndex(place, assetPlace))
	return i >= 0 && !strings.HasSuffix(r.Pattern, place[i:]) && !strings.Contains(r.Header.Get("Accept"), "text/html")
}

// below returns what follows the last occurrence of a place in a path.
func below(path, place string) (rest string, ok bool) {
	i := strings.LastIndex(path, place)
	if i < 0 {
		return "", false
	}
	rest = path[i+len(place):]
	return rest, rest != ""
}

// serves reports whether requests to a host are answered. A page of another site can have its own
// name point to this server, and then read the answers as if it were of this site; but its requests
// still have that name. Addresses and localhost cannot be redirected in this way.
func (d *Dashboard) serves(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = canonicalHost(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	_, err := netip.ParseAddr(host)
	return err == nil || d.hosts[host]
}

// canonicalHost returns the form of a host name by which names are compared.
func canonicalHost(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// serveAsset answers with a file. Its path changes with the contents of the files, so a browser may
// keep it for ever.
func serveAsset(w http.ResponseWriter, name string) {
	file, ok := assets().files[name]
	if !ok {
		fail(w, &failure{http.StatusNotFound, "there is no such file"})
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	send(w, file.mediaType, file.content)
}

// servePage answers with the page, or redirects to the path with a slash at the end, from which the
// links of the page start.
func (d *Dashboard) servePage(w http.ResponseWriter, r *http.Request, place string) {
	requested := place
	if u, err := url.ParseRequestURI(r.RequestURI); err == nil && u.Path != "" {
		requested = u.EscapedPath() // with the prefix that a router may have stripped
	}
	if strings.HasSuffix(requested, "/") {
		w.Header().Set("Cache-Control", "no-cache")
		send(w, "text/html; charset=utf-8", d.page)
		return
	}
	last := path.Base(requested)
	if strings.Contains(last, ".") {
		fail(w, &failure{http.StatusNotFound, "there is no such file"})
		return
	}
	target := url.URL{Path: "./" + last + "/", RawPath: "./" + last + "/"}
	if unescaped, err := url.PathUnescape(target.Path); err == nil {
		target.Path = unescaped
	}
	w.Header().Set("Location", target.String())
	respond(w, http.StatusMovedPermanently, nil)
}

// send sends an answer.
func send(w http.ResponseWriter, mediaType string, content []byte) {
	w.Header().Set("Content-Type", mediaType)
	respond(w, http.StatusOK, content)
}

// chunk is the number of bytes for which a client has writeTime.
const chunk = 64 << 10

// respond sends the head and the content of an answer. It cuts off a client that does not read. The writer of a
// middleware may not support that; then the limits of the server hold.
func respond(w http.ResponseWriter, status int, content []byte) {
	if status != http.StatusNoContent {
		w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	}
	control := http.NewResponseController(w)
	limit := func() { _ = control.SetWriteDeadline(time.Now().Add(writeTime)) }
	limit()
	w.WriteHeader(status)
	for part := range slices.Chunk(content, chunk) {
		limit()
		if _, err := w.Write(part); err != nil {
			return // the client has gone
		}
	}
	// The end of the answer is in a buffer, which the server would write without a limit.
	if err := control.Flush(); err == nil || errors.Is(err, http.ErrNotSupported) {
		_ = control.SetWriteDeadline(time.Time{}) // for the next request of the connection
	}
}

// refuseMethod refuses a request with another method than the allowed ones.
func refuseMethod(w http.ResponseWriter, allowed string) {
	w.Header().Set("Allow", allowed)
	fail(w, &failure{http.StatusMethodNotAllowed, "use " + allowed})
}
