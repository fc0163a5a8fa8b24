package output

import (
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// NewTable returns an empty table.
func NewTable(title string) table.Writer {
	t := table.NewWriter()
	style := table.StyleRounded
	style.Format.Header = text.FormatDefault // not in capitals
	t.SetStyle(style)
	t.SetTitle("%s", title)
	return t
}

// NumericColumns configures columns of numbers, from the first to the last.
func NumericColumns(first, last int) (columns []table.ColumnConfig) {
	for n := first; n <= last; n++ {
		columns = append(columns, table.ColumnConfig{Number: n, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	return columns
}

// NonZero formats a count that is usually 0, which it leaves empty. A table can
// suppress a column that is empty in all rows.
func NonZero(n int) string {
	if n == 0 {
		return ""
	}
	return English().Sprint(n)
}
