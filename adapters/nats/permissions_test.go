package nats_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/seed56799101/taskmanager/adapters/nats"
)

// Nothing outside of the namespace is allowed, and an invalid argument allows nothing at all.
func TestPermissionsStayInTheNamespace(t *testing.T) {
	outside := []string{"$JS.FC.>", "$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST", "_INBOX.>"}
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
