package humanize

import "testing"

func TestNumbersAndSizesForPeople(t *testing.T) {
	for in, want := range map[any]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567",
		uint64(12345678): "12,345,678", 1234.5: "1,234.5"} {
		if got := Number(in); got != want {
			t.Errorf("%v: %s", in, got)
		}
	}
	for in, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 150 << 10: "150 KiB",
		5 << 30: "5.0 GiB"} {
		if got := Bytes(in); got != want {
			t.Errorf("%d: %s", in, got)
		}
	}
	for in, want := range map[float64]string{0: "0 %", 0.2: "<1 %", 50.4: "50 %", 99.9: ">99 %", 100: "100 %"} {
		if got := Percent(in); got != want {
			t.Errorf("%v: %s", in, got)
		}
	}
}
