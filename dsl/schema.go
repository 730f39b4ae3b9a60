package dsl

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	schemakind "github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"flowctl/dsl/flow"
)

// Schemas of the plugins that come with flowctl, one file each.
//
//go:embed schemas/*.json
var schemaFiles embed.FS

// builtinRunners are the runners that come with flowctl, in the order in which messages name them.
func builtinRunners() []string { return []string{"shell", "python", "ssh", "hive"} }

// builtinChannels are the channels that come with flowctl; each is named for its kind.
func builtinChannels() []string { return []string{"email", "sms", "phone", "webhook"} }

// schema checks the settings of one plugin.
type schema struct {
	compiled *jsonschema.Schema // nil: anything goes
	demands  bool               // there are settings that must be given
}

// schemas holds those of the plugins that come with flowctl, compiled when first asked for. Its zero value is ready.
type schemas struct {
	mu    sync.Mutex
	known map[string]*schema
}

// builtin returns the schema of a plugin that comes with flowctl, nil when there is none of that name.
func (s *schemas) builtin(kind flow.PluginKind, name string) *schema {
	if kind == flow.RunnerPlugin && !slices.Contains(builtinRunners(), name) || kind == flow.ChannelPlugin && !slices.Contains(builtinChannels(), name) {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.known[name]; known != nil {
		return known
	}
	text, err := schemaFiles.ReadFile("schemas/" + name + ".json")
	compiled := &schema{}
	if err == nil {
		compiled, err = compileSchema(text)
	}
	if err != nil { // a test compiles them all
		compiled = &schema{}
	}
	if s.known == nil {
		s.known = make(map[string]*schema)
	}
	s.known[name] = compiled
	return compiled
}

// noLoader keeps schemas from reading files or the network.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s is outside the schema", url)
}

func compileSchema(text []byte) (s *schema, err error) {
	defer func() {
		if r := recover(); r != nil { // the library's, on a schema that it did not foresee
			s, err = nil, fmt.Errorf("not a JSON schema: %v", r)
		}
	}()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	const name = "urn:flowctl:with" // else messages would hold the working directory
	c := jsonschema.NewCompiler()
	c.UseLoader(noLoader{})
	if err := c.AddResource(name, document); err != nil {
		return nil, err
	}
	compiled, err := c.Compile(name)
	if err != nil {
		return nil, schemaError(err)
	}
	return &schema{compiled, compiled.Validate(map[string]any{}) != nil}, nil
}

// schemaError takes the first thing that is wrong out of the library's account.
func schemaError(err error) error {
	var outer *jsonschema.SchemaValidationError
	var wrong *jsonschema.ValidationError
	if !errors.As(err, &outer) || !errors.As(outer.Err, &wrong) {
		return err
	}
	for len(wrong.Causes) > 0 {
		wrong = wrong.Causes[0]
	}
	return fmt.Errorf("%s: %s", strings.Join(wrong.InstanceLocation, "."), wrong.ErrorKind.LocalizedString(message.NewPrinter(language.English)))
}

// text is the JSON of what plugins.lock says.
func (w *withDraft) text() ([]byte, error) { return json.Marshal(plain(w.value)) }

// compile makes a schema of what plugins.lock says.
func (w *withDraft) compile() (*schema, error) {
	text, err := w.text()
	if err != nil {
		return nil, err
	}
	return compileSchema(text)
}

// plain is a value of `with` with texts in the place of templates.
func plain(v any) any { return filled(v, "${{ }}") }

// filled is a value of `with` with texts in the place of templates: what they say, with another text for each of their expressions.
func filled(v any, expression string) any {
	switch v := v.(type) {
	case *flow.Template:
		var text strings.Builder
		for _, p := range v.Parts {
			if text.WriteString(p.Lit); p.Expr != "" {
				text.WriteString(expression)
			}
		}
		return text.String()
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[k] = filled(x, expression)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = filled(x, expression)
		}
		return out
	}
	return v
}

// misfit is a place where settings do not fit their schema.
type misfit struct {
	path    []string
	key     bool // the name of the last one is wrong, not its value
	message string
	hint    string
}

// check compares settings with the schema; subject is the plugin as messages name it.
func (s *schema) check(subject string, with map[string]any) (out []misfit) {
	if s == nil || s.compiled == nil {
		return nil
	}
	defer func() {
		if r := recover(); r != nil { // the library's
			out = append(out, misfit{message: fmt.Sprintf("the schema of %s cannot be used: %v", subject, r)})
		}
	}()
	var wrong *jsonschema.ValidationError
	if errors.As(s.compiled.Validate(plain(with)), &wrong) {
		return s.misfits(subject, with, wrong, nil)
	}
	return nil
}

// misfits turns the tree of the library's errors into those that say something.
func (s *schema) misfits(subject string, with map[string]any, e *jsonschema.ValidationError, out []misfit) []misfit {
	where := subject
	if len(e.InstanceLocation) > 0 {
		where = strings.Join(e.InstanceLocation, ".")
	}
	template := isTemplate(with, e.InstanceLocation)
	one := func(message, hint string) []misfit {
		return append(out, misfit{e.InstanceLocation, false, message, hint})
	}
	switch k := e.ErrorKind.(type) {
	case *schemakind.AdditionalProperties:
		for _, name := range k.Properties {
			out = append(out, misfit{
				append(slices.Clone(e.InstanceLocation), name), true, where + " has no setting " + strconv.Quote(name),
				suggest(name, s.settings(e.InstanceLocation), "settings: "),
			})
		}
		return out
	case *schemakind.Required:
		what := " needs the setting "
		if len(k.Missing) > 1 {
			what = " needs the settings "
		}
		return one(where+what+`"`+strings.Join(k.Missing, `", "`)+`"`, "add `"+strings.Join(k.Missing, ":` and `")+":`")
	case *schemakind.Type:
		if template {
			return one(where+" takes "+schemaTypes(k.Want)+", but an expression gives text", "write the value itself")
		}
		return one(where+" takes "+schemaTypes(k.Want)+", not "+schemaTypes([]string{k.Got}), "")
	case *schemakind.Enum:
		if template {
			return out
		}
		values := make([]string, len(k.Want))
		for i, v := range k.Want {
			values[i] = fmt.Sprint(v)
		}
		return one(where+" is one of "+strings.Join(values, ", ")+", not "+strconv.Quote(fmt.Sprint(k.Got)), suggest(fmt.Sprint(k.Got), values, ""))
	case *schemakind.Minimum, *schemakind.Maximum, *schemakind.MinLength:
		if template {
			return out
		}
		return one(where+" is out of range: "+bound(k), "")
	case *schemakind.FalseSchema:
		return one(where+" does not go with the other settings", "see the plugin's documentation")
	case *schemakind.AnyOf, *schemakind.OneOf:
		return one(where+" has none of the forms that it may have", "see the plugin's documentation")
	}
	if len(e.Causes) == 0 && !template {
		return one(where+": "+e.ErrorKind.LocalizedString(message.NewPrinter(language.English)), "")
	}
	for _, cause := range e.Causes {
		out = s.misfits(subject, with, cause, out)
	}
	return out
}

// bound says what a number or the length of a text may be.
func bound(k jsonschema.ErrorKind) string {
	number := func(r *big.Rat) string { return strings.TrimSuffix(strings.TrimRight(r.FloatString(6), "0"), ".") }
	switch k := k.(type) {
	case *schemakind.Minimum:
		return "at least " + number(k.Want)
	case *schemakind.Maximum:
		return "at most " + number(k.Want)
	case *schemakind.MinLength:
		return "at least " + strconv.Itoa(k.Want) + " characters"
	}
	return ""
}

// schemaTypes says what an author of YAML calls the types of JSON.
func schemaTypes(types []string) string {
	words := map[string]string{
		"string": "text", "integer": "a whole number", "number": "a number", "boolean": "true or false", "object": "a mapping",
		"array": "a list", "null": "nothing",
	}
	out := make([]string, len(types))
	for i, t := range types {
		out[i] = words[t]
	}
	return strings.Join(out, " or ")
}

// settings lists the names that a mapping may have, as far as the schema tells them plainly.
func (s *schema) settings(path []string) []string {
	at := s.compiled
	for _, name := range path {
		if at = at.Properties[name]; at == nil {
			return nil
		}
	}
	return sortedKeys(at.Properties)
}

func isTemplate(with map[string]any, path []string) bool { return templateAt(with, path) != nil }

// templateAt returns the template that is written at a place, nil when there is another value.
func templateAt(with map[string]any, path []string) *flow.Template {
	var at any = with
	for _, name := range path {
		switch v := at.(type) {
		case map[string]any:
			at = v[name]
		case []any:
			if i, err := strconv.Atoi(name); err == nil && i < len(v) {
				at = v[i]
			}
		}
	}
	t, _ := at.(*flow.Template)
	return t
}

// merged is what a with and those below it say, key by key.
func (w *withDraft) merged() map[string]any {
	if w == nil {
		return nil
	}
	if w.below == nil {
		return w.value
	}
	out := make(map[string]any)
	for k, v := range w.below.merged() {
		out[k] = v
	}
	for k, v := range w.value {
		out[k] = v
	}
	return out
}

// place returns where a setting is written, at its name or at its value.
func (w *withDraft) place(path []string, key bool) flow.Pos {
	layer := w
	for len(path) > 0 && layer.below != nil && layer.node.field(path[0]) == nil {
		layer = layer.below
	}
	at, last := layer.node, layer.node
	for _, name := range path {
		next := (*node)(nil)
		if i, err := strconv.Atoi(name); err == nil && at.kind == listNode && i < len(at.items) {
			next, last = at.items[i], at.items[i]
		}
		for _, p := range at.pairs {
			if p.key.text == name {
				next, last = p.value, p.key
			}
		}
		if next == nil {
			break
		}
		at = next
	}
	if key {
		at = last
	}
	return flow.Pos{File: layer.file, Line: int(at.line), Col: int(at.col)}
}
