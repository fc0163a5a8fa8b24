package guide_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// certFiles are those of a certificate for 127.0.0.1, which is its own authority.
type certFiles struct{ cert, key string }

func certificate(t *testing.T) certFiles {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return certFiles{write("cert.pem", "CERTIFICATE", cert), write("key.pem", "PRIVATE KEY", secret)}
}

// serve starts a server with a configuration of the guide, but with addresses and directories of this test.
func serve(t *testing.T, conf string, files certFiles, change func(*server.Options)) *server.Server {
	t.Helper()
	file := filepath.Join(t.TempDir(), "nats.conf")
	conf = strings.NewReplacer("/etc/nats/cert.pem", files.cert, "/etc/nats/key.pem", files.key).Replace(conf)
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := server.ProcessConfigFile(file)
	if err != nil {
		t.Fatalf("%v, in this configuration:\n%s", err, conf)
	}
	if !o.JetStream || !o.SyncAlways || o.Authorization != token || o.TLSConfig == nil {
		t.Errorf("the configuration lacks something: JetStream %v, SyncAlways %v, token %q, TLS %v", o.JetStream, o.SyncAlways, o.Authorization, o.TLSConfig != nil)
	}
	o.Host, o.Port, o.StoreDir, o.NoSigs, o.NoLog = "127.0.0.1", server.RANDOM_PORT, t.TempDir(), true, true
	if change != nil {
		change(o)
	}
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { stop(s) })
	if !s.ReadyForConnections(time.Minute) {
		t.Fatal("the server is not ready")
	}
	return s
}

func stop(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}

// serveCluster starts n1, n2 and n3 with the configuration of n1, and waits until they agree on a leader.
func serveCluster(t *testing.T, conf string, files certFiles) []*server.Server {
	t.Helper()
	var servers []*server.Server
	for i := range 3 {
		conf := strings.Replace(conf, "server_name: n1", fmt.Sprint("server_name: n", i+1), 1)
		servers = append(servers, serve(t, conf, files, func(o *server.Options) {
			if len(o.Routes) != 3 {
				t.Errorf("%d routes, want 3", len(o.Routes))
			}
			user := o.Routes[0].User
			o.Routes = []*url.URL{{Scheme: "nats", User: user, Host: "127.0.0.1:1"}} // nobody; a server demands a route
			for _, s := range servers {
				o.Routes = append(o.Routes, &url.URL{Scheme: "nats", User: user, Host: s.ClusterAddr().String()})
			}
			o.Cluster.Host, o.Cluster.Port = "127.0.0.1", server.RANDOM_PORT
		}))
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); <-tick.C {
		current := 0
		for _, s := range servers {
			if s.JetStreamIsCurrent() {
				current++
			}
		}
		if current == len(servers) {
			return servers
		}
	}
	t.Fatal("the servers have found no leader")
	return nil
}
