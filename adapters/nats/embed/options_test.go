package embed_test

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed56799101/taskmanager/adapters/nats/embed"
)

// All faults are reported together, and each names its option.
func TestInvalidOptions(t *testing.T) {
	s, err := embed.Start(embed.Options{
		Name: "a.b", SyncInterval: -time.Second, MaxStore: -1, Listen: "nowhere", Token: "$2a$11$x",
		Users: []embed.User{
			{Name: "", Password: ""},
			{Name: "a", Password: "p", Publish: []string{"a b"}},
			{Name: "a", Password: "p"},
		},
		TLS:     new(tls.Config),
		Cluster: &embed.Cluster{Name: "my cluster", Listen: ":66222", Routes: []string{"host", "%:1"}, TLS: new(tls.Config)},
	})
	if s != nil || err == nil {
		t.Fatalf("Start returned %v, %v", s, err)
	}
	want := []string{
		`embed: Options.Dir is missing: it is the directory of the data`,
		`embed: Options.SyncInterval is -1s, but must not be negative; 0 syncs each write`,
		`embed: Options.MaxStore is -1 bytes, but must not be negative; 0 derives it from the disk`,
		`embed: Options.Name is "a.b", but only letters, digits, - and _ are allowed`,
		`embed: Options.Listen is "nowhere", but must be host:port, with a port from 0 to 65535`,
		`embed: Options.TLS has no certificate; set its Certificates or GetCertificate`,
		`embed: Options.Token is a bcrypt hash; set the token itself`,
		`embed: both Options.Token and Options.Users are set; set one of them`,
		`embed: Options.Users[0] has no name`,
		`embed: user "" has no password`,
		`embed: user "a" has the subject "a b", which is invalid`,
		`embed: there are two users "a"`,
		`embed: Cluster.Name is "my cluster"; it needs letters, digits, - or _`,
		`embed: Cluster.Listen is ":66222", but must be host:port, with a port from 0 to 65535`,
		`embed: Cluster.User or Cluster.Password is missing: everyone who reaches the address could join; set the same values for all servers`,
		`embed: Cluster.Routes has "host", which is neither host:port nor a URL such as nats://host:6222`,
		`embed: Cluster.Routes has "%:1", which is neither host:port nor a URL such as nats://host:6222`,
		`embed: Cluster.TLS has no certificate; set its Certificates or GetCertificate`,
	}
	if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

func TestInvalidCombinations(t *testing.T) {
	for _, test := range []struct {
		options embed.Options
		want    string
	}{
		{embed.Options{Listen: "127.0.0.1:0"}, "neither Token nor Users"},
		{embed.Options{SyncInterval: 1}, "Options.SyncInterval is 1ns, but must be at least 1ms, or 0"},
		{embed.Options{Users: []embed.User{}}, "Options.Users is empty"},
		{embed.Options{Cluster: new(embed.Cluster)}, "Options.Name is missing"},
		{embed.Options{Cluster: new(embed.Cluster)}, "Options.Listen is missing"},
		{embed.Options{Cluster: new(embed.Cluster)}, "Cluster.Listen is missing"},
		{embed.Options{Cluster: new(embed.Cluster)}, "Cluster.Routes is empty"},
	} {
		test.options.Dir = t.TempDir()
		if _, err := embed.Start(test.options); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Start(%+v) returned %v, want %q", test.options, err, test.want)
		}
	}
}
