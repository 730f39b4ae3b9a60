package hive

import (
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/beltran/gohive/hiveserver"
)

// rowsOf returns the rows of an answer, each as its cells.
func rowsOf(set *hiveserver.TRowSet) [][]string {
	if set == nil {
		return nil
	}
	var rows [][]string
	for i, column := range set.Columns {
		for j, cell := range cells(column) {
			if i == 0 {
				rows = append(rows, make([]string, len(set.Columns)))
			}
			if j < len(rows) {
				rows[j][i] = cell
			}
		}
	}
	return rows
}

// cells are the values of a column as text.
func cells(c *hiveserver.TColumn) []string {
	switch {
	case c.IsSetStringVal():
		return texts(c.StringVal.Values, c.StringVal.Nulls, func(v string) string { return v })
	case c.IsSetI32Val():
		return texts(c.I32Val.Values, c.I32Val.Nulls, func(v int32) string { return strconv.FormatInt(int64(v), 10) })
	case c.IsSetI64Val():
		return texts(c.I64Val.Values, c.I64Val.Nulls, func(v int64) string { return strconv.FormatInt(v, 10) })
	case c.IsSetDoubleVal():
		return texts(c.DoubleVal.Values, c.DoubleVal.Nulls, func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) })
	case c.IsSetBoolVal():
		return texts(c.BoolVal.Values, c.BoolVal.Nulls, strconv.FormatBool)
	case c.IsSetI16Val():
		return texts(c.I16Val.Values, c.I16Val.Nulls, func(v int16) string { return strconv.FormatInt(int64(v), 10) })
	case c.IsSetByteVal():
		return texts(c.ByteVal.Values, c.ByteVal.Nulls, func(v int8) string { return strconv.FormatInt(int64(v), 10) })
	case c.IsSetBinaryVal():
		return texts(c.BinaryVal.Values, c.BinaryVal.Nulls, func(v []byte) string { return hex.EncodeToString(v) })
	}
	return nil
}

// texts writes values, less those whose bit says that they are null.
func texts[T any](values []T, nulls []byte, text func(T) string) []string {
	all := make([]string, len(values))
	for i, v := range values {
		if i/8 < len(nulls) && nulls[i/8]>>(i%8)&1 == 1 {
			all[i] = "NULL"
		} else {
			all[i] = text(v)
		}
	}
	return all
}

// escaper keeps a cell on its line and in its column.
var escaper = strings.NewReplacer("\t", `\t`, "\n", `\n`, "\r", `\r`)

// tabbed writes cells as one line with tabs between.
func tabbed(cells []string) string {
	escaped := make([]string, len(cells))
	for i, c := range cells {
		escaped[i] = escaper.Replace(c)
	}
	return strings.Join(escaped, "\t")
}

// progress tells how far a statement is: `42%: Map 1 3/7, Reducer 2 0/1`.
func progress(p *hiveserver.TProgressUpdateResp) string {
	if p == nil || len(p.Rows) == 0 {
		return ""
	}
	at := map[string]int{}
	for i, name := range p.HeaderNames {
		at[name] = i
	}
	vertex, hasVertex := at["VERTICES"]
	total, hasTotal := at["TOTAL"]
	done, hasDone := at["COMPLETED"]
	text := strconv.Itoa(int(100*p.ProgressedPercentage)) + "%"
	if !hasVertex || !hasTotal || !hasDone {
		return text
	}
	for i, row := range p.Rows {
		if len(row) <= max(vertex, total, done) {
			continue
		}
		separator := ", "
		if i == 0 {
			separator = ": "
		}
		text += separator + strings.Trim(row[vertex], " .") + " " + row[done] + "/" + row[total]
	}
	return text
}
