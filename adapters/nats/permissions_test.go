package nats_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/seed56799101/taskmanager/adapters/nats"
)

// Nothing outside of the namespace is allowed, and an invalid argument allows nothing at all.
func TestPermissionsStayInTheNamespace(t *testing.T) {
	outside := []string{"$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST", "_INBOX.>"}
	for _, r := range []nats.Role{nats.RoleSubmitter, nats.RoleWorker, nats.RoleOperator} {
		publish, subscribe := nats.Permissions("ns1", r)
		for _, s := range slices.Concat(publish, subscribe) {
			if !slices.Contains(outside, s) && !slices.ContainsFunc(strings.Split(s, "."), func(token string) bool {
				return token == "ns1" || strings.HasPrefix(token, "ns1_") || strings.HasPrefix(token, "KV_ns1_")
			}) {
				t.Errorf("role %d has subject %q, which does not name the namespace", r, s)
			}
		}
	}
	for _, test := range []struct {
		namespace string
		role      nats.Role
	}{{"", nats.RoleWorker}, {"a.b", nats.RoleWorker}, {">", nats.RoleWorker}, {strings.Repeat("n", 33), nats.RoleWorker}, {"a", 0}, {"a", 4}} {
		publish, subscribe := nats.Permissions(test.namespace, test.role)
		if publish == nil || subscribe == nil || len(publish)+len(subscribe) > 0 {
			t.Errorf("Permissions(%q, %d) = %#v, %#v, want empty lists", test.namespace, test.role, publish, subscribe)
		}
	}
}

// A namespace that is called like a part of the API gives no access to another one.
func TestPermissionsOfOddNamespaces(t *testing.T) {
	requests := []string{
		"$JS.API.STREAM.DELETE.victim", "$JS.API.STREAM.MSG.DELETE.victim", "$JS.API.STREAM.INFO.victim",
		"$JS.API.CONSUMER.DURABLE.CREATE.victim.c", "$JS.API.CONSUMER.CREATE.victim.c.f", "$JS.API.CONSUMER.CREATE.victim",
		"$JS.API.CONSUMER.MSG.NEXT.victim.c", "$JS.API.DIRECT.GET.victim", "$JS.API.DIRECT.GET.victim.s", "$JS.ACK.victim.c.1.1.1.1.1",
		"$JS.API.CONSUMER.LEADER.STEPDOWN.victim.c", "victim.run.a.b.c", "$KV.victim_STATE.a", "$JS.API.SERVER.REMOVE",
	}
	for _, namespace := range []string{"JS", "API", "STREAM", "CONSUMER", "CREATE", "DURABLE", "NEXT", "MSG", "GET", "DELETE", "ACK", "KV", "INFO"} {
		publish, _ := nats.Permissions(namespace, nats.RoleOperator)
		for _, r := range requests {
			for _, s := range publish {
				if matches(s, r) {
					t.Errorf("an operator of %s may publish to %s by %s", namespace, r, s)
				}
			}
		}
	}
}

// matches reports whether a subject with wildcards matches one without.
func matches(pattern, subject string) bool {
	p, s := strings.Split(pattern, "."), strings.Split(subject, ".")
	for i, token := range p {
		switch {
		case token == ">":
			return len(s) > i
		case i >= len(s) || token != "*" && token != s[i]:
			return false
		}
	}
	return len(p) == len(s)
}
