package dsl

import (
	"slices"
	"strconv"

	"flowctl/dsl/expr"
	"flowctl/dsl/flow"
)

// lockedPlugin compiles the schema of a plugin of plugins.lock.
func (c *catalog) lockedPlugin(d *pluginDraft) *plugin {
	p := &plugin{&d.Plugin, &schema{}}
	if d.schema == nil {
		return p
	}
	s, err := d.schema.compile()
	if err != nil {
		c.report(d.schema.place(nil, false), "runner-config", "see https://json-schema.org", "the schema of "+d.Name+" is no JSON schema: "+firstLine(err.Error()))
		return p
	}
	p.schema = s
	return p
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

func (c *catalog) addChannels(programs *expr.Programs) {
	channels := registerOf("channel", func(ch *flow.Channel) flow.Pos { return ch.Pos })
	c.channels = channels.known
	var ofKind [4][]*channelDraft
	kinds := []flow.ChannelKind{flow.Email, flow.SMS, flow.Phone, flow.Webhook}
	c.drafts(func(d *catalogDraft) {
		for _, ch := range d.channels {
			kind := flow.ChannelKind(ch.kind.value)
			if kind == "" {
				kind = flow.Webhook
				if slices.Contains(builtinChannels(), ch.plugin.value) {
					kind = flow.ChannelKind(ch.plugin.value)
				}
			}
			out := &flow.Channel{Name: ch.name.value, Plugin: ch.plugin.value, Kind: kind, With: ch.with.merged(), Pos: ch.name.at}
			if channels.add(c, out.Name, out) {
				i := slices.Index(kinds, kind)
				ofKind[i] = append(ofKind[i], ch)
			}
			c.checkChannel(ch, programs)
		}
	})
	for i, list := range ofKind {
		if kinds[i] != flow.Webhook {
			c.chooseDefault(string(kinds[i]), list)
		}
	}
}

func (c *catalog) checkChannel(ch *channelDraft, programs *expr.Programs) {
	if ch.plugin.at.Line == 0 {
		return
	}
	s := c.schemaOf(flow.ChannelPlugin, ch.plugin.value)
	if s == nil {
		known := append(builtinChannels(), c.pluginNames(flow.ChannelPlugin)...)
		c.findings = append(c.findings, finding{errorAt(ch.plugin.at, "unknown-channel", suggest(ch.plugin.value, known, "plugins: "),
			"no channel plugin is named "+strconv.Quote(ch.plugin.value)), ch.plugin.value})
		return
	}
	c.checkPeer(s, "the channel "+ch.plugin.value, ch.name.at, ch.with, programs)
}

// checkPeer checks the settings of a channel or a connection: they belong to no run, so secret() is all that their expressions know.
func (c *catalog) checkPeer(s *schema, subject string, at flow.Pos, with *withDraft, programs *expr.Programs) {
	for _, m := range s.check(subject, with.merged()) {
		c.report(with.placeOr(at, m), "runner-config", m.hint, m.message)
	}
	eachTemplate(with.merged(), func(t *flow.Template) {
		for _, p := range programs.Check(t, expr.Peer, nil) {
			c.report(p.Pos, p.Rule, p.Hint, p.Message)
		}
		l := &lookup{catalog: c, suggest: unlimited}
		for _, use := range programs.Secrets(t, expr.Peer) {
			l.secret(text{use.Name, use.Pos})
		}
		c.findings = append(c.findings, l.found...)
	})
}

// chooseDefault wants one default among several channels of a kind; a single one is it without saying so.
func (c *catalog) chooseDefault(kind string, list []*channelDraft) {
	chosen := -1
	for i, ch := range list {
		if !ch.def.value {
			continue
		}
		if chosen >= 0 {
			c.report(ch.def.at, "duplicate", "keep one of them", "a second default channel for "+kind)
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
		c.report(list[0].name.at, "missing", "add `default: true` to one of them", "there are "+strconv.Itoa(len(list))+" channels for "+kind+", and none is the default")
	}
}

func (c *catalog) addConnections(programs *expr.Programs) {
	connections := registerOf("connection", func(x *connection) flow.Pos { return x.Pos })
	c.connections = connections.known
	c.drafts(func(d *catalogDraft) {
		for _, x := range d.connections {
			out := &flow.Connection{Name: x.name.value, Runner: x.runner.value, Teams: valuesOf(x.teams), With: x.with.merged(), Pos: x.name.at}
			connections.add(c, out.Name, &connection{out, x.with})
			if s := c.schemaOf(flow.RunnerPlugin, out.Runner); s != nil {
				c.checkPeer(s, "the runner "+out.Runner, x.name.at, x.with, programs)
			}
		}
	})
}

// connectionRunner reports an unknown runner of a connection. A connection does nothing by itself, so one for a runner that this version
// does not have is fine.
func (l *lookup) connectionRunner(name text) {
	if !slices.Contains(builtinRunners(), name.value) {
		l.runner(name)
	}
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
