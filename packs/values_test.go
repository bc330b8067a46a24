package packs

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// value is a task with one parameter, asked for one value.
func allowedValue(p Parameter, value string) error {
	p.Name, p.Overridable = "P", true
	_, err := Task{Parameters: []Parameter{p}}.Values([]Value{{"P", value}})
	return err
}

// A value is what its parameter's type says, in its one form.
func TestValuesFitTheirTypes(t *testing.T) {
	for name, tc := range map[string]struct {
		parameter  Parameter
		good, evil []string
	}{
		"days": {Parameter{Type: Int, Min: 0, Max: 365}, []string{"0", "7", "365"},
			[]string{"1; touch /x", "366", "3.5", "-1", "", " 7", "7 ", "07", "+7", "-0", "0x7", "1e2", "٧", "7\n", "$(id)",
				"99999999999999999999"}},
		"below zero": {Parameter{Type: Int, Min: -5, Max: -1}, []string{"-5", "-1"}, []string{"-6", "0"}},
		"mount": {Parameter{Type: String, MaxLength: 5, Pattern: "/[a-zü]*"}, []string{"/", "/abcd", "/üüüü"},
			[]string{"", "/abcde", "x/", "/a\n", "/a b", "/A", "\n/a", "/\xff", "/a\x00"}},
		"alternatives": {Parameter{Type: String, MaxLength: 9, Pattern: "a|b"}, []string{"a", "b"},
			[]string{"ab", "ax", "xb", "a\n"}},
		"lines": {Parameter{Type: String, MaxLength: 99, Pattern: "(?m)^a$"}, []string{"a"}, []string{"a\nb", "b\na", "a\n"}},
		"anything": {Parameter{Type: String, MaxLength: 99, Pattern: "(?s).*"},
			[]string{"", "a\r\n\tb", "\U0010FFFF", "\uFFFD"},
			[]string{"\x00", "\x1b[2J", "\uFFFE", "\uFFFF", "\xed\xa0\x80", "\x08"}},
		"bool": {Parameter{Type: Bool}, []string{"true", "false"}, []string{"True", "1", "yes", "", "true "}},
		"enum": {Parameter{Type: Enum, Values: []string{"one", "All"}}, []string{"one", "All"}, []string{"all", "", "on",
			"one,All"}},
		"duration": {Parameter{Type: Duration, Min: int64(time.Minute), Max: int64(48 * time.Hour)},
			[]string{"60s", "1m", "48h", "2d"}, []string{"59s", "49h", "3d", "1h30m", "1.5h", "60", "-1m", "+1m", " 1m", "",
				"1w", "999999999999d", "1m\n"}},
		"guid": {Parameter{Type: GUID}, []string{"0f3e4a5b-0000-4000-8000-00000000000A"},
			[]string{"", "{0f3e4a5b-0000-4000-8000-00000000000A}", "0f3e4a5b00004000800000000000000A",
				"urn:uuid:0f3e4a5b-0000-4000-8000-00000000000A", "0f3e4a5b-0000-4000-8000-00000000000G"}},
		"a type of later": {Parameter{Type: "colour"}, nil, []string{"", "red"}},
	} {
		for _, v := range tc.good {
			if err := allowedValue(tc.parameter, v); err != nil {
				t.Errorf("%s: %q: %v", name, v, err)
			}
		}
		for _, v := range tc.evil {
			wrong, ok := errors.AsType[*ValueError](allowedValue(tc.parameter, v))
			if !ok || wrong.Code != BadParameter || wrong.Name != "P" || wrong.Detail == "" {
				t.Errorf("%s: %q: %v", name, v, wrong)
			} else if len(v) > 5 && strings.Contains(wrong.Error(), v) {
				t.Errorf("%s: %q is repeated: %v", name, v, wrong)
			}
		}
	}
}

// Only parameters that may be given are taken, once each; the others have what the pack says.
func TestWhatATaskIsGiven(t *testing.T) {
	task := Task{Parameters: []Parameter{
		{Name: "Days", Type: Int, Max: 9, Default: "7", HasDefault: true, Overridable: true},
		{Name: "Fixed", Type: Int, Max: 9, Default: "3", HasDefault: true},
		{Name: "Job", Type: Bool, Required: true, Overridable: true},
		{Name: "Maybe", Type: Bool, Overridable: true},
		{Name: "Empty", Type: String, MaxLength: 1, Default: "", HasDefault: true},
	}}
	job := Value{"Job", "true"}
	for _, tc := range []struct {
		name       string
		given      []Value
		want       []Value
		code, what string
	}{
		{"only what is needed", []Value{job}, []Value{{"Days", "7"}, {"Fixed", "3"}, job, {"Empty", ""}}, "", ""},
		{"all in another order", []Value{{"Maybe", "false"}, job, {"Days", "1"}},
			[]Value{{"Days", "1"}, {"Fixed", "3"}, job, {"Maybe", "false"}, {"Empty", ""}}, "", ""},
		{"not what is needed", nil, nil, BadParameter, "Job"},
		{"what can't be given", []Value{job, {"Fixed", "3"}}, nil, NotOverridable, "Fixed"},
		{"what can't be given, and is wrong", []Value{job, {"Fixed", "x"}}, nil, NotOverridable, "Fixed"},
		{"what there is not", []Value{job, {"Other", "3"}}, nil, BadParameter, "Other"},
		{"other letters", []Value{job, {"days", "3"}}, nil, BadParameter, "days"},
		{"twice", []Value{job, {"Days", "3"}, {"Days", "3"}}, nil, BadParameter, "Days"},
		{"the first that is wrong", []Value{{"Days", "x"}, {"Fixed", "3"}}, nil, BadParameter, "Days"},
	} {
		got, err := task.Values(tc.given)
		wrong, _ := errors.AsType[*ValueError](err)
		if !slices.Equal(got, tc.want) || (err != nil) != (tc.code != "") ||
			err != nil && (wrong.Code != tc.code || wrong.Name != tc.what) {
			t.Errorf("%s: %v, %v", tc.name, got, err)
		}
	}
	if _, err := task.Values([]Value{job, {"Daya", "1"}}); !strings.Contains(err.Error(), "did you mean Days") {
		t.Error(err)
	}
}

// All values together have their bound, those that were not given, too.
func TestValuesTogetherAreBounded(t *testing.T) {
	long := strings.Repeat("x", maxLength)
	task := Task{}
	for _, name := range []string{"A", "B", "C", "D", "E"} {
		task.Parameters = append(task.Parameters, Parameter{Name: name, Type: String, MaxLength: maxLength, Pattern: ".*",
			Default: "", HasDefault: true, Overridable: true})
	}
	given := []Value{{"A", long}, {"B", long}, {"C", long}, {"D", long}}
	if _, err := task.Values(given); err != nil {
		t.Error(err)
	}
	if _, err := task.Values(append(given, Value{"E", "x"})); err == nil {
		t.Error("too much was given")
	}
	task.Parameters[4].Default = "x"
	if _, err := task.Values(given); err == nil {
		t.Error("too much with the defaults")
	}
}

// A value fills a whole argument or a part of it, and never makes two of one. What it says is not looked at again.
func TestAValueStaysInItsArgument(t *testing.T) {
	c := &Command{Args: []string{"$(A)", "+$(A)-$(B)", "$(A", "$A", "$(C)", "", "$$(A)"}}
	values := []Value{{"A", "x; touch /x $(B) `id` $1"}, {"B", "$(A)"}}
	a := values[0].Value
	want := []string{a, "+" + a + "-$(A)", "$(A", "$A", "", "", "$" + a}
	if got := c.Fill(values); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if c.Args[0] != "$(A)" {
		t.Error("the command itself was changed")
	}
	if got := Environment(values); !slices.Equal(got, []string{"SW_A=" + a, "SW_B=$(A)"}) {
		t.Errorf("%q", got)
	}
}
