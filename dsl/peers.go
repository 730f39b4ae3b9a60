package dsl

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"flowctl/dsl/diag"
	"flowctl/dsl/expr"
	"flowctl/dsl/flow"
)

// makePlugin compiles the schema of a plugin of plugins.lock.
func (c *catalog) makePlugin(d *pluginDraft) (text, *plugin) {
	p := &plugin{&d.Plugin, &schema{}}
	if d.schema != nil {
		s, err := d.schema.compile()
		if err != nil {
			c.report(d.schema.place(nil, false), diag.RunnerConfig, "see https://json-schema.org", "the schema of "+d.Name+" is no JSON schema: "+firstLine(err.Error()))
		} else {
			p.schema = s
		}
	}
	return text{d.Name, d.Pos}, p
}

// plugin returns the plugin of that kind and name in plugins.lock, nil when there is none.
func (c *catalog) plugin(kind flow.PluginKind, name string) *plugin {
	if p := c.plugins[name]; p != nil && p.Kind == kind {
		return p
	}
	return nil
}

func (c *catalog) pluginNames(kind flow.PluginKind) (names []string) {
	for _, name := range sortedKeys(c.plugins) {
		if c.plugins[name].Kind == kind {
			names = append(names, name)
		}
	}
	return names
}

// schemaOf returns the schema of a plugin's settings, nil when there is no such plugin.
func (c *catalog) schemaOf(kind flow.PluginKind, name string) *schema {
	if s := c.schemas.builtin(kind, name); s != nil {
		return s
	}
	if p := c.plugin(kind, name); p != nil {
		return p.schema
	}
	return nil
}

func (c *catalog) makeConnection(d *connectionDraft) (text, *connection) {
	x := &flow.Connection{Name: d.name.value, Runner: d.runner.value, Teams: valuesOf(d.teams), With: d.with.merged(), Pos: d.name.at}
	return d.name, &connection{x, d.with}
}

func (c *catalog) makeChannel(d *channelDraft) (text, *flow.Channel) {
	kind := flow.ChannelKind(d.kind.value)
	if kind == "" {
		kind = flow.Webhook
		if slices.Contains(builtinChannels(), d.plugin.value) {
			kind = flow.ChannelKind(d.plugin.value)
		}
	}
	return d.name, &flow.Channel{Name: d.name.value, Plugin: d.plugin.value, Kind: kind, With: d.with.merged(), Pos: d.name.at}
}

// chooseDefaults wants one default among several channels of a kind; a single one is it without saying so.
func (c *catalog) chooseDefaults() {
	ofKind := make(map[flow.ChannelKind][]*channelDraft)
	c.drafts(func(d *catalogDraft) {
		for _, ch := range d.channels {
			if made := c.channels[ch.name.value]; made.Pos == ch.name.at { // else its name is taken
				ofKind[made.Kind] = append(ofKind[made.Kind], ch)
			}
		}
	})
	for _, kind := range []flow.ChannelKind{flow.Email, flow.SMS, flow.Phone} {
		c.chooseDefault(string(kind), ofKind[kind])
	}
}

func (c *catalog) chooseDefault(kind string, list []*channelDraft) {
	chosen := -1
	for i, ch := range list {
		if !ch.def.value {
			continue
		}
		if chosen >= 0 {
			c.report(ch.def.at, diag.Duplicate, "keep one of them", "a second default channel for "+kind)
			c.findings[len(c.findings)-1].Related = relatedAt(list[chosen].def.at, "the first is here")
			continue
		}
		chosen = i
	}
	if chosen < 0 && len(list) == 1 && !list[0].def.set() {
		chosen = 0
	}
	if chosen >= 0 {
		c.channels[list[chosen].name.value].Default = true
	} else if len(list) > 1 {
		c.report(list[0].name.at, diag.Missing, "add `default: true` to one of them", "there are "+strconv.Itoa(len(list))+" channels for "+kind+", and none is the default")
	}
}

// channel checks the plugin of a channel and its settings.
func (l *lookup) channel(d *channelDraft, programs *expr.Programs) {
	if d.plugin.at.Line == 0 {
		return
	}
	s := l.schemaOf(flow.ChannelPlugin, d.plugin.value)
	if s == nil {
		known := append(builtinChannels(), l.pluginNames(flow.ChannelPlugin)...)
		l.unlocked(flow.ChannelPlugin, d.plugin, diag.UnknownChannel, "channel plugin", suggest(d.plugin.value, known, "plugins: "))
		return
	}
	subject := "the channel " + d.plugin.value
	fits := l.peer(s, subject, d.name.at, d.with, programs)
	own := l.own[d.plugin.value]
	if !fits || own == nil || !slices.Contains(builtinChannels(), d.plugin.value) {
		return
	}
	with := d.with.merged()
	ask := func(standIn string) []Misfit {
		document, err := json.Marshal(filled(with, standIn))
		if err != nil { // nothing that YAML has cannot be JSON but a number that is none, which the schema refuses
			return nil
		}
		return own(document)
	}
	again := ask("7")
	for _, m := range ask("secret") {
		path := strings.Split(m.Path, "/")[1:] // what is before the first / is nothing
		for i := range path {
			path[i] = unescaped.Replace(path[i])
		}
		if t := templateAt(with, path); t != nil && (len(t.Parts) == 1 || !slices.Contains(again, m)) {
			continue // what an expression gives is known when the channel is used; this may be about that, and not the text around it
		}
		l.report(d.with.placeOr(d.name.at, misfit{path: path}), diag.RunnerConfig, "see the channel's documentation",
			strings.TrimPrefix(strings.Join(path, ".")+": "+m.Message, ": "))
	}
}

// unescaped undoes what a JSON pointer does to a name (RFC 6901).
var unescaped = strings.NewReplacer("~1", "/", "~0", "~")

// connection checks the runner of a connection and its settings. A connection does nothing by itself, so one for a runner that this version
// does not have is fine.
func (l *lookup) connection(d *connectionDraft, programs *expr.Programs) {
	if !slices.Contains(builtinRunners(), d.runner.value) {
		l.runner(d.runner)
	}
	if s := l.schemaOf(flow.RunnerPlugin, d.runner.value); s != nil {
		l.peer(s, "the runner "+d.runner.value, d.name.at, d.with, programs)
	}
}

// peer checks the settings of a channel or a connection: they belong to no run, so secret() is all that their expressions know. It tells whether
// nothing was found.
func (l *lookup) peer(s *schema, subject string, at flow.Pos, with *withDraft, programs *expr.Programs) (fits bool) {
	before := len(l.found)
	for _, m := range s.check(subject, with.merged()) {
		l.report(with.placeOr(at, m), diag.RunnerConfig, m.hint, m.message)
	}
	eachTemplate(with.merged(), func(t *flow.Template) {
		for _, p := range programs.Check(t, expr.Peer, nil) {
			l.report(p.Pos, p.Rule, p.Hint, p.Message)
		}
		for _, use := range programs.Secrets(t, expr.Peer) {
			l.secret(text{use.Name, use.Pos})
		}
	})
	return len(l.found) == before
}

// placeOr returns where a misfit is written, or the given place when there is no `with` at all.
func (w *withDraft) placeOr(at flow.Pos, m misfit) flow.Pos {
	if w == nil {
		return at
	}
	return w.place(m.path, m.key)
}

// eachTemplate visits the templates within a value of `with`, in a fixed order.
func eachTemplate(v any, visit func(*flow.Template)) {
	switch v := v.(type) {
	case *flow.Template:
		visit(v)
	case map[string]any:
		for _, k := range sortedKeys(v) {
			eachTemplate(v[k], visit)
		}
	case []any:
		for _, x := range v {
			eachTemplate(x, visit)
		}
	}
}
