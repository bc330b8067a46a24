package reports

import "testing"

func TestValuesThatTheEngineWouldBendAreRefused(t *testing.T) {
	for _, tt := range []struct {
		typ, text, want string // the text the engine reads; empty = refused
	}{
		{"Float64", "0.5", "0.5"}, {"Float64", "nan", ""}, {"Float64", "inf", ""}, {"Float64", "0x1p4", ""},
		{"Float64", "1x", ""},
		{"UInt8", "255", "255"}, {"UInt8", "256", ""}, {"UInt8", "-1", ""}, {"UInt32", "5%", ""}, {"UInt32", "1e3", ""},
		{"UInt32", "0x10", ""}, {"Int64", "5 6", ""},
		{"Date", "2149-06-06", "2149-06-06"}, {"Date", "2149-06-07", ""}, {"Date", "1969-12-31", ""},
		{"Date", "2026-02-30", ""},
		{"DateTime", "2106-02-07T06:28:15Z", "2106-02-07 06:28:15"}, {"DateTime", "2106-02-07T06:28:16Z", ""},
		{"DateTime", "1969-12-31T23:59:59Z", ""},
		{"DateTime64(3,'UTC')", "2299-12-31T23:59:59.999Z", "2299-12-31 23:59:59.999"},
		{"DateTime64(3,'UTC')", "2300-01-01", ""}, {"DateTime64(3,'UTC')", "1899-12-31", ""},
		{"DateTime64(9)", "2263-01-01", ""}, {"DateTime64(3,'UTC')", "2026-01-01T02:00:00+02:00", "2026-01-01 00:00:00.000"},
		{"DateTime64(3,'UTC')", "now", ""},
		{"UUID", "{9C0F8D1E-3B44-4E71-8F5A-0D2B6A7C1E33} ", "9c0f8d1e-3b44-4e71-8f5a-0d2b6a7c1e33"},
		{"UUID", "9C0F8D1E3B444E718F5A0D2B6A7C1E33", ""},
		{"Bool", "True", "true"}, {"Bool", "yes", ""},
	} {
		got, err := Param{Name: "x", Type: tt.typ}.value(tt.text)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s %q is read as %q (%v), want %q", tt.typ, tt.text, got, err, tt.want)
		}
	}
	if _, err := (Param{Name: "x", Type: "Float64", Low: "0", High: "1"}).value("nan"); err == nil {
		t.Error("nan is in the range from 0 to 1")
	}
}
