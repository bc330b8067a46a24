package wire

import (
	"bytes"
	"reflect"
	"testing"
)

// Whatever a client sends is refused, or reads the same once it is written again.
func FuzzSignIn(f *testing.F) {
	f.Add(SignInMessage{Time: moment, Client: machine, Session: 1, Boot: "b", Reason: "start"}.Encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := DecodeSignIn(data)
		if err != nil {
			return
		}
		m.Time = m.Time.Truncate(1e6)
		if again, err := DecodeSignIn(m.Encode()); err != nil || !reflect.DeepEqual(again, m) {
			t.Fatalf("%+v, then %+v: %v", m, again, err)
		}
	})
}

func FuzzSignInConfirm(f *testing.F) {
	f.Add(SignInConfirmMessage{Time: moment, ServerID: 1, Epoch: 1, KeepAlive: 1e9, Session: 1}.Encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := DecodeSignInConfirm(data)
		if err != nil {
			return
		}
		m.Time = m.Time.Truncate(1e6)
		if again, err := DecodeSignInConfirm(m.Encode()); err != nil || again != m {
			t.Fatalf("%+v, then %+v: %v", m, again, err)
		}
	})
}

func FuzzReport(f *testing.F) {
	f.Add(sample().Encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		p, _, err := DecodeReport(data)
		if err != nil {
			return
		}
		p.Time = p.Time.Truncate(1e6)
		for i := range p.Rows {
			p.Rows[i].Since, p.Rows[i].Last = p.Rows[i].Since.Truncate(1e6), p.Rows[i].Last.Truncate(1e6)
		}
		again, bad, err := DecodeReport(p.Encode())
		if err != nil || len(bad) > 0 || !reflect.DeepEqual(again, p) {
			t.Fatalf("%+v, then %+v, %v: %v", p, again, bad, err)
		}
	})
}

func FuzzFrame(f *testing.F) {
	f.Add(AppendFrame(nil, SignIn, []byte("abc")))
	f.Fuzz(func(t *testing.T, data []byte) {
		k, payload, err := ReadFrame(bytes.NewReader(data), MaxFrame)
		if err != nil {
			return
		}
		if again := AppendFrame(nil, k, payload); !bytes.HasPrefix(data, again) {
			t.Fatalf("%q is read as type %d with %q", data, k, payload)
		}
	})
}
