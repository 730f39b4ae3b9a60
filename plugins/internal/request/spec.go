package request

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"flowctl/plugins/sdk"
)

// Properties are those of a Spec in a JSON schema.
const Properties = `"url": {"type": "string", "minLength": 1, "description": "https://… or http://…, a template"},
    "method": {"enum": ["GET", "POST", "PUT", "PATCH"], "default": "POST"},
    "headers": {"type": "object", "additionalProperties": {"type": "string"}, "description": "templates"},
    "query": {"type": "object", "additionalProperties": {"type": "string"}, "description": "more parameters for the URL, templates"},
    "form": {"type": "object", "additionalProperties": {"type": "string"}, "description": "parameters of an HTML form as the body, templates"},
    "body": {"description": "sent as JSON, its texts are templates; a text alone is sent as it is"},
    "user": {"type": "string", "minLength": 1, "description": "for basic authentication; the access key's id with sign: aliyun"},
    "password": {"type": "string", "minLength": 1, "description": "for basic authentication"},
    "secret": {"type": "string", "minLength": 1, "description": "the key for sign"},
    "sign": {"enum": ["hmac", "dingtalk", "feishu", "aliyun"], "default": "hmac", "description": "how requests are signed when there is a secret"},
    "success": {
      "type": "object",
      "additionalProperties": false,
      "description": "which answers say that the message was taken; default: any 2xx",
      "properties": {
        "status": {"type": "array", "minItems": 1, "items": {"type": "integer", "minimum": 200, "maximum": 599}},
        "field": {"type": "string", "minLength": 1, "description": "where in the answer's JSON to look: a.b.0"},
        "is": {"type": "array", "minItems": 1, "items": {"type": ["string", "number", "boolean"]}, "description": "its values when the message was taken"},
        "retry": {"type": "array", "items": {"type": ["string", "number", "boolean"]}, "description": "its values when it is worth to try again"}
      }
    },
    "id": {"type": "string", "minLength": 1, "description": "where in the answer's JSON the other side's name of the message is"}`

// Spec describes a request.
type Spec struct {
	URL      string            `json:"url"`
	Method   string            `json:"method"`
	Headers  map[string]string `json:"headers"`
	Query    map[string]string `json:"query"`
	Form     map[string]string `json:"form"`
	Body     json.RawMessage   `json:"body"`
	User     string            `json:"user"`
	Password string            `json:"password"`
	Secret   string            `json:"secret"`
	Sign     string            `json:"sign"`
	Success  Success           `json:"success"`
	ID       string            `json:"id"`
}

// Success tells which answers say that a message was taken.
type Success struct {
	Status []int  `json:"status"`
	Field  string `json:"field"`
	Is     []any  `json:"is"`
	Retry  []any  `json:"retry"`
}

// The values of Spec.Sign.
const (
	signHMAC     = "hmac"
	signDingTalk = "dingtalk"
	signFeishu   = "feishu"
	signAliyun   = "aliyun"
)

// headerName is what the names of headers are made of.
const headerName = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."

// Check returns what is wrong with a description, with paths below a given one.
func (s *Spec) Check(below string) []sdk.Problem {
	var problems []sdk.Problem
	report := func(path, format string, args ...any) {
		problems = append(problems, sdk.Problem{Path: below + path, Message: fmt.Sprintf(format, args...)})
	}
	try := func(path, text string) {
		if _, err := fill(text, sample()); err != nil {
			report(path, "%v", err)
		}
	}
	if s.URL == "" {
		report("/url", "want the URL")
	} else if text, err := fill(s.URL, sample()); err != nil {
		report("/url", "%v", err)
	} else if u, err := url.Parse(text); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		report("/url", "want a URL such as https://example.com/hook") // and does not repeat it: it may be secret
	}
	if s.Method != "" && !slices.Contains([]string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch}, s.Method) {
		report("/method", "want GET, POST, PUT or PATCH, not %q", s.Method)
	}
	for _, group := range []struct {
		name  string
		texts map[string]string
	}{{"headers", s.Headers}, {"query", s.Query}, {"form", s.Form}} {
		for _, key := range slices.Sorted(maps.Keys(group.texts)) {
			try("/"+group.name+"/"+escape(key), group.texts[key])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Headers)) {
		if strings.Trim(name, headerName) != "" {
			report("/headers/"+escape(name), "want a header's name of letters, digits and dashes")
		}
	}
	if body, err := s.body(); err != nil {
		report("/body", "%v", err)
	} else {
		eachText(body, "/body", try)
	}
	switch {
	case len(s.Body) > 0 && len(s.Form) > 0:
		report("/form", "want either body or form")
	case s.method() == http.MethodGet && len(s.Body)+len(s.Form) > 0:
		report("/method", "a GET has no body: want POST")
	}
	if s.Password != "" && s.User == "" {
		report("/user", "want the user whose password it is")
	}
	if !slices.Contains([]string{"", signHMAC, signDingTalk, signFeishu, signAliyun}, s.Sign) {
		report("/sign", "want hmac, dingtalk, feishu or aliyun, not %q", s.Sign)
	} else if s.Sign != "" && s.Secret == "" {
		report("/secret", "want the key that signs")
	}
	switch _, isObject := s.object(); {
	case s.Sign == signFeishu && !isObject:
		report("/body", "want a mapping: Feishu's signature stands in it")
	case s.Sign == signAliyun && len(s.Body)+len(s.Form) > 0:
		report("/query", "want all parameters in query: Aliyun's signature covers them")
	case s.Sign == signAliyun && s.User == "":
		report("/user", "want the id of the access key")
	}
	if (s.Success.Field == "") != (len(s.Success.Is) == 0) {
		report("/success", "want field and is together")
	}
	return problems
}

// sample is what templates are tried with.
func sample() *Fields { return &Fields{Blockers: []string{"warehouse.raw/load@2026-11-19"}} }

func (s *Spec) method() string {
	if s.Method == "" {
		return http.MethodPost
	}
	return s.Method
}

// body decodes the body; numbers stay as they are written.
func (s *Spec) body() (any, error) {
	if len(s.Body) == 0 {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(s.Body))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}

func (s *Spec) object() (map[string]any, bool) {
	v, _ := s.body()
	m, ok := v.(map[string]any)
	return m, ok
}

// eachText visits the texts within a value, in a fixed order.
func eachText(v any, path string, visit func(path, text string)) {
	switch v := v.(type) {
	case string:
		visit(path, v)
	case []any:
		for i, x := range v {
			eachText(x, path+"/"+strconv.Itoa(i), visit)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			eachText(v[key], path+"/"+escape(key), visit)
		}
	}
}
