package cli

import (
	"bytes"
	"encoding/json"
	"io"

	"flowctl/dsl"
)

// The forms of -o.
const (
	formTable = "table"
	formJSON  = "json"
	formYAML  = "yaml"
)

func (g *globals) checkOutput() error {
	switch g.output {
	case formTable, formJSON, formYAML:
		return nil
	}
	return usagef("-o %s: the forms are table, json and yaml", g.output)
}

// show writes data to stdout: in the API's form, or for people as table shows it.
func (g *globals) show(data any, table func(v *view)) error {
	if g.output == formTable {
		v := &view{zone: g.zone, now: g.now(), width: g.width, color: g.color}
		table(v)
		_, err := io.WriteString(g.out, v.String())
		return err
	}
	b, err := g.encode(data)
	if err != nil {
		return err
	}
	_, err = g.out.Write(b)
	return err
}

func (g *globals) encode(data any) ([]byte, error) {
	if g.output == formYAML {
		return dsl.EncodeYAML(data)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	err := e.Encode(data)
	return b.Bytes(), err
}

// news is where lines go that tell what happens before the result is there: to the reader of a table, or out of the way of the
// reader of data.
func (g *globals) news() io.Writer {
	if g.output == formTable {
		return g.out
	}
	return g.err
}
