package hive

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"flowctl/plugins/sdk"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	for with, want := range map[string]string{
		`{"host": "h"}`: "",
		`{"host": "h", "port": "10001", "rows": "5", "auth": "ldap", "user": "u", "password": "p", "transport": "http", "http_path": "/hs2", "database": "d",
		  "tls": {"ca": "~/ca.pem", "cert": "c", "key": "k", "server_name": "s"}, "settings": {"a.b": true, "c": 1.50, "d": "x=y"}, "poll": "200ms"}`: "",
		`{"host": "h", "tls": false, "auth": "plain", "user": "u", "password_env": "P"}`: "",
		`{}`:                                "/host: want the name or address of the host of HiveServer2",
		`{"host": "h", "prot": 1}`:          `/prot: there is no setting "prot"`,
		`{"host": 1}`:                       "/host: want a string, not a number",
		`{"host": "h", "port": 0}`:          `/port: want a port from 1 to 65535, not "0"`,
		`{"host": "h", "port": [1]}`:        "/port: want a number, not a list",
		`{"host": "h", "rows": "-1"}`:       `/rows: want a number of rows, 0 for none, not "-1"`,
		`{"host": "h", "auth": "kerberos"}`: `/auth: want none, nosasl, plain or ldap, not "kerberos"`,
		`{"host": "h", "auth": "ldap"}`: "/user: want the user to log in as\n" +
			"/password: want the user's password, or password_env",
		`{"host": "h", "password": "p"}`: "/auth: want plain or ldap, or no password: with none the server asks for none",
		`{"host": "h", "auth": "plain", "user": "u", "password": "p", "password_env": "P"}`: "/password_env: want either password or password_env",
		`{"host": "h", "auth": "plain", "user": "u", "password_env": "FLOWCTL_P"}`:          "/password_env: want a variable whose name does not begin with FLOWCTL_: those never reach a plugin",
		`{"host": "h", "transport": "https"}`:                                               `/transport: want binary or http, not "https"`,
		`{"host": "h", "tls": "yes"}`:                                                       "/tls: want a mapping, not a string",
		`{"host": "h", "tls": {"cert": "c"}}`:                                               "/tls: want cert and key, or neither",
		`{"host": "h", "tls": {"certificate": "c"}}`:                                        `/tls/certificate: there is no setting "certificate"`,
		`{"host": "h", "settings": {"a=b/c": 1}}`:                                           "/settings/a=b~1c: want the name of one of Hive's settings, such as mapreduce.job.queuename",
		`{"host": "h", "settings": {"a": [1]}}`:                                             "/settings: want a number, not a list",
		`{"host": "h", "poll": "1ms", "reconnect": "soon"}`: `/poll: want a duration of at least 10ms, such as 30s or 5m, not "1ms"` + "\n" +
			`/reconnect: want a duration of at least 1s, such as 30s or 5m, not "soon"`,
	} {
		var got []string
		for _, p := range (Runner{}).Validate(json.RawMessage(with)) {
			got = append(got, p.Path+": "+p.Message)
		}
		if strings.Join(got, "\n") != want {
			t.Errorf("%s: got\n%s\nwant\n%s", with, strings.Join(got, "\n"), want)
		}
	}
}

// TestSchema holds that the compiler checks settings by the schema of this plugin.
func TestSchema(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile("../../dsl/schemas/hive.json")
	if err != nil {
		t.Fatal(err)
	}
	if got := string(Runner{}.Describe().Schema); got != strings.TrimSpace(string(want)) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestConfiguration(t *testing.T) {
	t.Parallel()
	with := json.RawMessage(`{"host": "h", "database": "d", "settings": {"a.b": true, "c": 1.50, "d": "x=y"}}`)
	o, err := newOrder(sdk.Spec{With: with, Text: "select 1", Args: []sdk.Arg{{Name: "ds", Value: "2026-11-19"}}, Env: []string{"FLOWCTL_FENCE=7", "HOME=/root", "FLOWCTL_OUTPUT=/o"}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := checked(with)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"use:database": "d", "set:hiveconf:a.b": "true", "set:hiveconf:c": "1.50", "set:hiveconf:d": "x=y", "set:hivevar:ds": "2026-11-19", "set:hivevar:FLOWCTL_FENCE": "7",
	}
	got := o.configuration(s)
	if len(got) != len(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s is %q, want %q", name, got[name], value)
		}
	}
}
