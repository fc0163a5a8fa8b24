package embed

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Logger receives the log of the server. A taskmanager.Logger is one. It is called by many
// goroutines, and must not call the server.
type Logger interface {
	// Infof receives notices.
	Infof(format string, args ...any)
	// Errorf receives warnings and errors.
	Errorf(format string, args ...any)
}

// Options describe a server. Only Dir is required.
type Options struct {
	// Dir is the directory of the data. It is created if it does not exist. Only one server at a time
	// can use it. With Cluster, it must not have the streams of a single server; without Cluster, it
	// must not be the directory of a server of a cluster. See [ErrClusterMismatch].
	Dir string

	// Name is the name of the server in logs and in its cluster, "embedded" by default. Letters,
	// digits, - and _. In a cluster it is required, must differ from the names of the other
	// servers, and must never change.
	Name string

	// SyncInterval is the time between two syncs of the data to disk. 0, the default, syncs each write
	// before it is confirmed. With an interval, a power loss loses up to that much of what was
	// accepted; the end of the process alone loses nothing. The shortest interval is 1 ms. An interval
	// of 10 ms is already much faster than 0.
	SyncInterval time.Duration

	// MaxStore limits the size of all streams together, in bytes. 0, the default, is three quarters of
	// a sum: the free space of the disk at the start plus the size of the streams at that time. (On
	// Windows it is 1 TiB.) Writes beyond the limit are refused; what is stored stays.
	MaxStore int64

	// Listen is the TCP address for other processes, such as "127.0.0.1:4222" or ":4222" for all
	// interfaces. Port 0 is a free one, see [Server.URL]. With "", the default, only [Server.Conn]
	// connects. Listen demands Token or Users.
	Listen string

	// Token is a secret that all clients share. A client with the token may do everything.
	Token string

	// Users are the clients that may connect. They exclude Token. Connections of [Server.Conn] may do
	// everything unless their options name a user.
	Users []User

	// TLS makes TLS mandatory for clients that use Listen. It needs a certificate. To demand
	// certificates of the clients too, set its ClientAuth and ClientCAs. Without TLS, secrets and
	// payloads are sent in plain text.
	TLS *tls.Config

	// Cluster makes the server a member of a cluster. Nil, the default, is a single server.
	Cluster *Cluster

	// Logger receives notices, warnings and errors of the server. Nil, the default, discards them.
	// After the process was killed, the server may log the error that the "TTL state is outdated" of a
	// stream. It then reads the stream, and nothing is lost.
	Logger Logger
}

// User is a user that may connect to a server. Package adapters/nats has lists of subjects for the
// usual roles; see Permissions there.
type User struct {
	Name     string
	Password string // the password itself, or its bcrypt hash

	// Publish and Subscribe are the subjects that the user may use. Nil allows all; a list that is
	// empty, but not nil, allows none.
	Publish, Subscribe []string
}

// Cluster describes the cluster of a server. All fields except TLS are required. A cluster that
// stores three replicas has at least three servers. With three servers, it works while two of them run.
type Cluster struct {
	// Name is the name of the cluster, the same for all servers.
	Name string

	// Listen is the TCP address for the other servers, such as ":6222".
	Listen string

	// Routes are the addresses of the other servers, as "host:port" or as URL. Each server needs at
	// least one, and the addresses must connect all servers.
	Routes []string

	// User and Password are the same for all servers. Who knows them may do everything.
	User, Password string

	// TLS secures the connections between the servers. Each server is client and server of the
	// others: it needs a certificate, RootCAs and ClientCAs.
	TLS *tls.Config
}

// shortestInterval is the shortest Options.SyncInterval.
const shortestInterval = time.Millisecond

// serverOptions converts the options, or reports everything that is invalid. The owner is the user
// of [Server.Conn], if there are users.
func (o Options) serverOptions(owner *server.User) (*server.Options, error) {
	var faults faults
	so := &server.Options{
		ServerName: o.Name, StoreDir: o.Dir,
		JetStream: true, JetStreamMaxStore: o.MaxStore,
		SyncAlways: o.SyncInterval == 0, SyncInterval: o.SyncInterval,
		DontListen: o.Listen == "",
		NoSigs:     true, NoLog: true, DisableJetStreamBanner: true,
	}
	faults.check(o.Dir != "", "Options.Dir is missing: it is the directory of the data")
	faults.check(o.SyncInterval >= 0, "Options.SyncInterval is %v, but must not be negative; 0 syncs each write", o.SyncInterval)
	// The server halves the interval and takes a random part of it, which must not be zero.
	faults.check(o.SyncInterval <= 0 || o.SyncInterval >= shortestInterval,
		"Options.SyncInterval is %v, but must be at least %v, or 0, which syncs each write", o.SyncInterval, shortestInterval)
	faults.check(o.MaxStore >= 0, "Options.MaxStore is %d bytes, but must not be negative; 0 derives it from the disk", o.MaxStore)
	faults.check(isName(o.Name), "Options.Name is %q, but only letters, digits, - and _ are allowed", o.Name)
	if o.Name == "" {
		so.ServerName = "embedded"
	}
	if o.Listen != "" {
		so.Host, so.Port = faults.address("Options.Listen", o.Listen)
		faults.check(o.Token != "" || o.Users != nil,
			"Options.Listen is %q, but there is neither Token nor Users: everyone who reaches that address could run tasks; set one of them", o.Listen)
	}
	if o.TLS != nil {
		so.TLS, so.TLSConfig = true, o.TLS.Clone()
		faults.check(hasCertificate(o.TLS), "Options.TLS has no certificate; set its Certificates or GetCertificate")
	}
	o.authorize(so, owner, &faults)
	if o.Cluster != nil {
		faults.check(o.Name != "", "Options.Name is missing: in a cluster it must be unique, and stay the same")
		faults.check(o.Listen != "", "Options.Listen is missing: a server of a cluster must listen for clients too")
		o.Cluster.join(so, &faults)
	}
	return so, faults.err()
}

// authorize says who may connect.
func (o Options) authorize(so *server.Options, owner *server.User, faults *faults) {
	// The server would take such a token for the hash of another one.
	faults.check(!strings.HasPrefix(o.Token, "$2a$"), "Options.Token is a bcrypt hash; set the token itself")
	faults.check(o.Token == "" || o.Users == nil, "both Options.Token and Options.Users are set; set one of them")
	so.Authorization = o.Token
	if o.Users == nil {
		return
	}
	faults.check(len(o.Users) > 0, "Options.Users is empty, so that nobody could connect; add a user, or set Token")
	names := map[string]bool{owner.Username: true}
	so.Users = []*server.User{owner}
	for i, u := range o.Users {
		faults.check(u.Name != "", "Options.Users[%d] has no name", i)
		faults.check(u.Password != "", "user %q has no password", u.Name)
		faults.check(!names[u.Name], "there are two users %q", u.Name)
		names[u.Name] = true
		so.Users = append(so.Users, &server.User{Username: u.Name, Password: u.Password, Permissions: u.permissions(faults)})
	}
}

// permissions are nil if the user may do everything.
func (u User) permissions(faults *faults) *server.Permissions {
	for _, s := range slices.Concat(u.Publish, u.Subscribe) {
		faults.check(server.IsValidSubject(s), "user %q has the subject %q, which is invalid", u.Name, s)
	}
	allow := func(subjects []string) *server.SubjectPermission {
		switch {
		case subjects == nil:
			return nil
		case len(subjects) == 0: // an empty list of what is allowed would allow all
			return &server.SubjectPermission{Deny: []string{">"}}
		}
		return &server.SubjectPermission{Allow: slices.Clone(subjects)}
	}
	if u.Publish == nil && u.Subscribe == nil {
		return nil
	}
	return &server.Permissions{Publish: allow(u.Publish), Subscribe: allow(u.Subscribe)}
}

// join makes the server a part of the cluster.
func (c *Cluster) join(so *server.Options, faults *faults) {
	so.Cluster.Name, so.Cluster.Username, so.Cluster.Password = c.Name, c.User, c.Password
	faults.check(c.Name != "" && isName(c.Name), "Cluster.Name is %q; it needs letters, digits, - or _", c.Name)
	faults.check(c.Listen != "", "Cluster.Listen is missing: it is the address for the other servers")
	if c.Listen != "" {
		so.Cluster.Host, so.Cluster.Port = faults.address("Cluster.Listen", c.Listen)
	}
	faults.check(c.User != "" && c.Password != "",
		"Cluster.User or Cluster.Password is missing: everyone who reaches the address could join; set the same values for all servers")
	faults.check(len(c.Routes) > 0, "Cluster.Routes is empty: each server needs the address of at least one other server")
	for _, r := range c.Routes {
		u, err := c.route(r)
		faults.check(err == nil, "Cluster.Routes has %q, which is neither host:port nor a URL such as nats://host:6222", r)
		so.Routes = append(so.Routes, u)
	}
	if c.TLS != nil {
		faults.check(hasCertificate(c.TLS), "Cluster.TLS has no certificate; set its Certificates or GetCertificate")
		so.Cluster.TLSConfig = c.TLS.Clone()
	}
}

// route is the URL of another server, with the secret of the cluster.
func (c *Cluster) route(address string) (*url.URL, error) {
	if !strings.Contains(address, "://") {
		address = "nats://" + address
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	if u.Hostname() == "" || u.Port() == "" {
		return nil, errors.New("no host or no port")
	}
	if u.User == nil {
		u.User = url.UserPassword(c.User, c.Password)
	}
	return u, nil
}

func hasCertificate(c *tls.Config) bool {
	return len(c.Certificates) > 0 || c.GetCertificate != nil || c.GetConfigForClient != nil
}

// isName reports whether a name has only characters that are safe in subjects and file names.
func isName(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}

// faults are what is invalid.
type faults []error

// check adds a fault unless the condition holds.
func (f *faults) check(ok bool, format string, args ...any) {
	if !ok {
		*f = append(*f, fmt.Errorf("embed: "+format, args...))
	}
}

// address splits an address as the server wants it.
func (f *faults) address(option, address string) (host string, port int) {
	host, text, err := net.SplitHostPort(address)
	if err == nil {
		port, err = strconv.Atoi(text)
	}
	f.check(err == nil && port >= 0 && port <= 65535, "%s is %q, but must be host:port, with a port from 0 to 65535", option, address)
	if host == "" {
		host = server.DEFAULT_HOST
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	return host, port
}

func (f *faults) err() error { return errors.Join(*f...) }
