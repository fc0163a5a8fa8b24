package embed_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"github.com/seed56799101/taskmanager/adapters/nats/embed"
)

func TestToken(t *testing.T) {
	const token = "a/b?c@d e"
	s := start(t, embed.Options{Listen: "127.0.0.1:0", Token: token})
	nc, err := natsgo.Connect(s.URL())
	if err != nil {
		t.Fatalf("the URL has no valid token: %v", err)
	}
	nc.Close()
	if _, err := s.Conn(); err != nil {
		t.Errorf("Conn: %v", err)
	}
	u, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	for name, user := range map[string]*url.Userinfo{"none": nil, "wrong": url.User("x")} {
		u.User = user
		if _, err := natsgo.Connect(u.String()); !errors.Is(err, natsgo.ErrAuthorization) {
			t.Errorf("with token %s: %v, want a violation", name, err)
		}
	}
}

// A server that listens on all interfaces has a URL that works on this machine.
func TestAllInterfaces(t *testing.T) {
	s := start(t, embed.Options{Listen: ":0", Token: "secret"})
	nc, err := natsgo.Connect(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
}

func TestUsers(t *testing.T) {
	s := start(t, embed.Options{Listen: "127.0.0.1:0", Users: []embed.User{
		{Name: "all", Password: "1"},
		{Name: "some", Password: "2", Publish: []string{"a.>"}, Subscribe: []string{"b"}},
		{Name: "none", Password: "3", Publish: []string{}, Subscribe: []string{}},
	}})
	if _, err := natsgo.Connect(s.URL()); !errors.Is(err, natsgo.ErrAuthorization) {
		t.Errorf("without a user: %v, want a violation", err)
	}
	if _, err := natsgo.Connect(s.URL(), natsgo.UserInfo("all", "2")); !errors.Is(err, natsgo.ErrAuthorization) {
		t.Errorf("with a wrong password: %v, want a violation", err)
	}
	for _, test := range []struct {
		user    []natsgo.Option
		forPub  map[string]bool // whether it may publish
		forSub  map[string]bool
		anybody string
	}{
		{nil, map[string]bool{"a.x": true, "c": true}, map[string]bool{"b": true, "c": true}, "the owner"},
		{[]natsgo.Option{natsgo.UserInfo("all", "1")}, map[string]bool{"a.x": true, "c": true}, map[string]bool{"b": true, "c": true}, "all"},
		{[]natsgo.Option{natsgo.UserInfo("some", "2")}, map[string]bool{"a.x": true, "c": false}, map[string]bool{"b": true, "c": false}, "some"},
		{[]natsgo.Option{natsgo.UserInfo("none", "3")}, map[string]bool{"a.x": false, "c": false}, map[string]bool{"b": false, "c": false}, "none"},
	} {
		for subject, want := range test.forPub {
			if got := allowed(t, s, test.user, func(nc *natsgo.Conn) error { return nc.Publish(subject, nil) }); got != want {
				t.Errorf("user %s may publish to %s: %v, want %v", test.anybody, subject, got, want)
			}
		}
		for subject, want := range test.forSub {
			if got := allowed(t, s, test.user, func(nc *natsgo.Conn) error { _, err := nc.SubscribeSync(subject); return err }); got != want {
				t.Errorf("user %s may subscribe to %s: %v, want %v", test.anybody, subject, got, want)
			}
		}
	}
}

// allowed reports whether the server lets a user do something.
func allowed(t *testing.T, s *embed.Server, user []natsgo.Option, do func(*natsgo.Conn) error) bool {
	t.Helper()
	refused := make(chan error, 1)
	nc, err := s.Conn(append(user, natsgo.ErrorHandler(func(_ *natsgo.Conn, _ *natsgo.Subscription, err error) {
		select {
		case refused <- err:
		default:
		}
	}))...)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := errors.Join(do(nc), nc.Flush()); err != nil {
		t.Fatal(err)
	}
	// The answer to a violation comes before that to the flush, but the handler runs later.
	if err := nc.LastError(); err == nil {
		return true
	}
	if err := <-refused; !errors.Is(err, natsgo.ErrPermissionViolation) {
		t.Errorf("refused with %v, want a violation of permissions", err)
	}
	return false
}

func TestTLS(t *testing.T) {
	own, other := certificate(t), certificate(t)
	s := start(t, embed.Options{Listen: "127.0.0.1:0", Token: "secret", TLS: own.server()})
	if !strings.HasPrefix(s.URL(), "tls://") {
		t.Errorf("the URL is %q, want tls", s.URL())
	}
	if _, err := s.Conn(); err != nil {
		t.Errorf("in the process: %v", err)
	}
	nc, err := natsgo.Connect(s.URL(), natsgo.Secure(own.client()))
	if err != nil {
		t.Fatalf("with the right authority: %v", err)
	}
	if _, err := nc.TLSConnectionState(); err != nil {
		t.Errorf("the connection is not encrypted: %v", err)
	}
	nc.Close()
	for name, config := range map[string]*tls.Config{"another": other.client(), "the system's": nil} {
		var opts []natsgo.Option
		if config != nil {
			opts = append(opts, natsgo.Secure(config))
		}
		_, err := natsgo.Connect(s.URL(), opts...)
		if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok {
			t.Errorf("with %s authority: %v, want a failed verification", name, err)
		}
	}
	plain, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "tls://secret@"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = plain.Close() }()
	if err := plain.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := plain.Write([]byte("CONNECT {\"auth_token\":\"secret\"}\r\nPING\r\n")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 1<<16)
	for all := ""; ; {
		n, err := plain.Read(got)
		if all += string(got[:n]); strings.Contains(all, "PONG") {
			t.Fatalf("a client without TLS is served: %q", all)
		}
		if err != nil {
			break
		}
	}
}

// Clients must show a certificate too, if the configuration says so.
func TestMutualTLS(t *testing.T) {
	own := certificate(t)
	config := own.server()
	config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, own.pool
	s := start(t, embed.Options{Listen: "127.0.0.1:0", Token: "secret", TLS: config})
	if nc, err := natsgo.Connect(s.URL(), natsgo.Secure(own.client())); err == nil {
		nc.Close()
		t.Error("a client without a certificate is served")
	}
	with := own.client()
	with.Certificates = []tls.Certificate{own.pair}
	nc, err := natsgo.Connect(s.URL(), natsgo.Secure(with))
	if err != nil {
		t.Fatalf("with a certificate: %v", err)
	}
	nc.Close()
}

// identity is a certificate that is its own authority.
type identity struct {
	pair tls.Certificate
	pool *x509.CertPool
}

func (i identity) server() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{i.pair}, MinVersion: tls.VersionTLS13}
}

func (i identity) client() *tls.Config {
	return &tls.Config{RootCAs: i.pool, MinVersion: tls.VersionTLS13}
}

// certificate makes an identity for this machine.
func certificate(t *testing.T) identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IsCA:        true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return identity{tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pool}
}
