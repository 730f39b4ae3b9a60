package cli

import (
	"encoding/json"
	"time"

	"flowctl/dsl"
	"flowctl/plugins/email"
	"flowctl/plugins/phone"
	"flowctl/plugins/sdk"
	"flowctl/plugins/sms"
	"flowctl/plugins/webhook"
)

// newCompiler returns a compiler that asks the channels that come with flowctl about their settings.
func newCompiler() *dsl.Compiler {
	ask := func(p sdk.Plugin) func(json.RawMessage) []dsl.Misfit {
		return func(with json.RawMessage) (found []dsl.Misfit) {
			for _, problem := range p.Validate(with) {
				found = append(found, dsl.Misfit(problem))
			}
			return found
		}
	}
	return &dsl.Compiler{Channels: map[string]func(json.RawMessage) []dsl.Misfit{
		"email": ask(email.New(time.Now)), "phone": ask(phone.New(time.Now)), "sms": ask(sms.New(time.Now)), "webhook": ask(webhook.New(time.Now)),
	}}
}
