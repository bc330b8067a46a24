package channel

import "testing"

func TestTheNotifierIsFound(t *testing.T) {
	const relay = "https://mp.example:8443/x"
	for _, tt := range []struct{ named, relay, want string }{
		{"", relay, "mp.example:10123"},
		{":10200", relay, "mp.example:10200"},
		{"push.example:10200", relay, "push.example:10200"},
		{"push.example", relay, "push.example:10123"},
		{"[2001:db8::1]:10200", relay, "[2001:db8::1]:10200"},
		{"[2001:db8::1]", relay, "[2001:db8::1]:10123"},
		{":10200", "https://[2001:db8::7]:8443", "[2001:db8::7]:10200"},
		{"", "https://127.0.0.1:40001", "127.0.0.1:10123"},
		{"push.example:1", "", "push.example:1"},
	} {
		if got, err := Notifier(tt.named, tt.relay); err != nil || got != tt.want {
			t.Errorf("%q beside %q is %q, %v; want %q", tt.named, tt.relay, got, err, tt.want)
		}
	}
	if got, err := Notifier(":10200", "x"); err == nil {
		t.Errorf("without a host it is %q", got)
	}
}
