package tabular

import (
	"cmp"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"
)

// Least widths of what may be shortened: an id shows head…tail, other texts wrap to two lines.
const (
	leastID   = 13
	leastText = 16
	leastAny  = 6
)

// fitted is one column on its way into a line of limited width.
type fitted struct {
	index              int
	rank               int
	natural, now, hard int // as wide as its longest cell; as wide as it becomes; the least it may ever be
}

// fit chooses the columns that a line has room for, and their widths. The column of the greatest rank leaves first; one
// of rank 0 never does.
func (w *tableRows) fit() (shown, widths []int) {
	widths = make([]int, len(w.columns))
	all := make([]fitted, len(w.columns))
	for i := range w.columns {
		all[i] = w.measure(i)
	}
	kept := all
	if w.o.Width > 0 && total(all) > w.o.Width {
		kept = w.squeeze(all)
	}
	for _, f := range kept {
		shown = append(shown, f.index)
		widths[f.index] = f.now
	}
	for i, c := range w.columns {
		if !slices.Contains(shown, i) {
			w.left = append(w.left, c.Name)
		}
	}
	return shown, widths
}

// measure is the column with all its room.
func (w *tableRows) measure(i int) fitted {
	name := width(TerminalSafe(w.columns[i].Name))
	f := fitted{index: i, rank: w.columns[i].Rank, natural: name}
	for _, line := range w.cells {
		f.natural = max(f.natural, width(line[i]))
	}
	f.now = f.natural
	return f
}

// squeeze narrows the columns, leaves out those that still have no room, and shares out what is left over.
func (w *tableRows) squeeze(all []fitted) []fitted {
	for i := range all {
		w.narrow(&all[i])
	}
	for total(all) > w.o.Width {
		last := slices.MaxFunc(all, func(a, b fitted) int { return cmp.Compare(a.rank, b.rank) })
		if last.rank == 0 {
			break
		}
		all = slices.DeleteFunc(all, func(f fitted) bool { return f.index == last.index })
	}
	for total(all) > w.o.Width && !w.o.Loose && shrinkOne(all) {
	}
	for total(all) < w.o.Width && growOne(all) {
	}
	return all
}

// narrow is the least width at which the column still reads well. A number or a time is never cut.
func (w *tableRows) narrow(f *fitted) {
	c := w.columns[f.index]
	least := leastText
	if isID(c.Name) {
		least = leastID
	}
	header, cells := 0, 0
	for part := range strings.SplitSeq(wrapName(TerminalSafe(c.Name), 1), "\n") {
		header = max(header, width(part))
	}
	for _, line := range w.cells {
		cells = max(cells, width(line[f.index]))
	}
	f.hard = cells
	if !w.fixed(c, f.index) {
		cells, f.hard = min(cells, least), min(cells, leastAny)
	}
	f.now, f.hard = max(header, cells), max(header, f.hard)
}

// fixed tells a column whose cells may not be cut.
func (w *tableRows) fixed(c Column, i int) bool {
	return w.numbers[i] || strings.Contains(c.Type, "Date") || strings.Contains(c.Type, "Bool")
}

func isID(name string) bool {
	return strings.HasSuffix(name, "_id") || strings.HasSuffix(name, "_guid") || name == "id" || strings.HasSuffix(name, "file")
}

// total is how wide a line of these columns is: each has a space on both sides.
func total(columns []fitted) (sum int) {
	for _, f := range columns {
		sum += f.now + 2
	}
	return sum
}

// shrinkOne takes a character from the widest column that may lose one.
func shrinkOne(columns []fitted) bool {
	best := -1
	for i, f := range columns {
		if f.now > f.hard && (best < 0 || f.now > columns[best].now) {
			best = i
		}
	}
	if best >= 0 {
		columns[best].now--
	}
	return best >= 0
}

// growOne gives a character to the column that lacks most.
func growOne(columns []fitted) bool {
	best := -1
	for i, f := range columns {
		if f.now < f.natural && (best < 0 || f.natural-f.now > columns[best].natural-columns[best].now) {
			best = i
		}
	}
	if best >= 0 {
		columns[best].now++
	}
	return best >= 0
}

func width(s string) int { return text.StringWidthWithoutEscSequences(s) }

// wrapName breaks a column's name after underscores, as often as it must.
func wrapName(name string, most int) string {
	if most <= 0 || width(name) <= most {
		return name
	}
	var lines []string
	line := ""
	for _, part := range strings.SplitAfter(name, "_") {
		if line != "" && width(line+part) > most {
			lines, line = append(lines, line), ""
		}
		line += part
	}
	return strings.Join(append(lines, line), "\n")
}

// wrapCell puts a text into two lines of a width, broken between words; what has no room shows its head and its tail.
func wrapCell(cell string, most int) string {
	if most <= 0 || width(cell) <= most {
		return cell
	}
	words := strings.Fields(cell)
	if len(words) < 2 {
		return Middle(cell, most)
	}
	first := words[0]
	n := 1
	for n < len(words) && width(first+" "+words[n]) <= most {
		first, n = first+" "+words[n], n+1
	}
	rest := strings.Join(words[n:], " ")
	if rest == "" {
		return Middle(first, most)
	}
	return Middle(first, most) + "\n" + endAtWord(rest, most)
}

// endAtWord ends a text that is too long with "…", after a whole word where there is one.
func endAtWord(s string, most int) string {
	if width(s) <= most {
		return s
	}
	cut := text.Trim(s, most-1)
	if at := strings.LastIndexByte(cut, ' '); at > 0 {
		return cut[:at] + "…"
	}
	return Middle(s, most)
}

// Middle shortens a text to a number of characters in its middle: ids differ at their ends.
func Middle(s string, most int) string {
	runes := []rune(s)
	if width(s) <= most || most < 3 {
		return text.Trim(s, max(most, 1))
	}
	tail := min((most-1)/2, 8)
	head := text.Trim(s, most-1-tail)
	for tail > 0 && width(head)+1+width(string(runes[len(runes)-tail:])) > most {
		tail--
	}
	return head + "…" + string(runes[len(runes)-tail:])
}

// Wrap breaks a text between words into lines of a width; 0 leaves it as it is. A word that is longer than a line keeps
// its length.
func Wrap(s string, most int) string {
	if most <= 0 || width(s) <= most {
		return s
	}
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		switch {
		case line == "":
			line = word
		case width(line)+1+width(word) <= most:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	return strings.Join(append(lines, line), "\n")
}
