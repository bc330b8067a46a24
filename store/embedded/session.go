package embedded

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// session is what a connection has been told to assume: nothing of one request may
// be seen by the next.
type session struct {
	database string            // empty: the engine's own default
	settings map[string]string // without readonly
	readonly bool
}

func (s session) equal(o session) bool {
	return s.database == o.database && s.readonly == o.readonly && maps.Equal(s.settings, o.settings)
}

// reaches says whether a connection can be moved to want: a read-only one stays as it is.
func (s session) reaches(want session) bool {
	return s.equal(want) || !s.readonly
}

var settingName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// enter brings the connection into the session want, with as few statements as needed.
func (c *conn) enter(want session) error {
	if c.session.equal(want) {
		return nil
	}
	c.broken = true // unless all of it works
	for _, sql := range c.session.changes(want, c.tag) {
		if err := c.exec(sql); err != nil {
			return err
		}
	}
	c.session, c.broken = want, false
	return nil
}

// changes are the statements that lead from s to want. readonly comes last: after it
// nothing can be changed.
func (s session) changes(want session, tag string) []string {
	var sets, out []string
	for _, name := range slices.Sorted(maps.Keys(s.settings)) {
		if _, kept := want.settings[name]; !kept {
			sets = append(sets, name+" = "+initial(name, tag))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want.settings)) {
		if old, ok := s.settings[name]; !ok || old != want.settings[name] {
			sets = append(sets, name+" = "+quote(want.settings[name]))
		}
	}
	if s.database != want.database {
		out = append(out, "USE "+identifier(orDefault(want.database)))
	}
	if len(sets) > 0 {
		out = append(out, "SET "+strings.Join(sets, ", "))
	}
	if want.readonly {
		out = append(out, "SET readonly = 1")
	}
	return out
}

// initial is the value a setting has on a fresh connection.
func initial(name, tag string) string {
	switch name {
	case "session_timezone":
		return "'UTC'"
	case "log_comment":
		return quote(tag)
	}
	return "DEFAULT"
}

func orDefault(database string) string {
	if database == "" {
		return "default"
	}
	return database
}

// quote writes s as a string literal.
func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// identifier writes s as a quoted name.
func identifier(s string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(s) + "`"
}
