package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"flowctl/engine"
)

func newAgents(g *globals) *cobra.Command {
	cmd := verbsOnly(&cobra.Command{
		Use:     "agents",
		Short:   "Look after the agents of a server",
		Example: "  flowctl agents token --ttl 10m\n  flowctl agents drain host7\n  flowctl agents declare-dead host7",
	})
	cmd.AddCommand(
		agentsToken(g), agentsDeclareDead(g),
		agentsVerb(g, "drain", "Give an agent no new work", `What runs there goes on, and the server remembers it. "flowctl agents undrain" lifts it.`),
		agentsVerb(g, "undrain", "Give an agent work again", "Lifts what `flowctl agents drain` did."),
		agentsVerb(g, "revoke", "Take an agent's certificate back", `Cuts the agent's connection and refuses it until it joins again with a new token. What it executes goes on
until it is declared dead.`),
	)
	return cmd
}

func agentsVerb(g *globals, verb, short, long string) *cobra.Command {
	return &cobra.Command{
		Use: verb + " NAME", Short: short, Long: long, Example: "  flowctl agents " + verb + " host7", Args: argsAs(cobra.ExactArgs(1)),
		RunE: withClient(g, func(ctx context.Context, svc engine.Service, args []string) error {
			a, err := svc.ControlAgent(ctx, args[0], verb)
			if err != nil {
				return err
			}
			return showList(g, &engine.List[engine.AgentView]{Items: []engine.AgentView{*a}}, agentsTable)
		}),
	}
}

func agentsDeclareDead(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "declare-dead NAME",
		Short: "Settle as lost what an agent holds that is gone for good",
		Long: `Ends as lost the attempts of an agent that is not connected and will not come back; what has retries left runs elsewhere. If the agent
does come back, what it still executes is killed; until then both may run at once. Prints the attempts.`,
		Example: "  flowctl agents declare-dead host7",
		Args:    argsAs(cobra.ExactArgs(1)),
		RunE: withClient(g, func(ctx context.Context, svc engine.Service, args []string) error {
			attempts, err := svc.DeclareDead(ctx, args[0])
			if err != nil {
				return err
			}
			return showList(g, &engine.List[engine.AttemptView]{Items: attempts}, attemptsTable)
		}),
	}
}

func agentsToken(g *globals) *cobra.Command {
	var ttl time.Duration
	var labels, accounts []string
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make a one-time token with which one agent can join",
		Long: `Prints a token for "flowctl agent --token". It works once, until it expires. Who has it can join under any name, in place of the agent that had
the name before.`,
		Example: "  flowctl agents token --ttl 10m --labels hadoop,zone=a\n  flowctl agents token list\n  flowctl agents token revoke 6f0d1b2c3a4e",
		Args:    argsAs(cobra.NoArgs),
		RunE: withClient(g, func(ctx context.Context, svc engine.Service, _ []string) error {
			if ttl <= 0 {
				return usagef("--ttl %s: give a positive duration", ttl)
			}
			t, err := svc.AgentToken(ctx, engine.AgentTokenRequest{TTLS: ttl.Seconds(), Labels: labels, Accounts: accounts})
			if err != nil {
				return err
			}
			if err := g.show(t, func(v *view) { v.line("%s", t.Token) }); err != nil || g.output != formTable {
				return err
			}
			fmt.Fprintf(g.err, "it works once, until %s\n", t.ExpiresAt.In(g.zone).Format("2006-01-02 15:04:05"))
			return nil
		}),
	}
	cmd.Flags().DurationVar(&ttl, "ttl", time.Hour, "how long it can be used")
	cmd.Flags().StringSliceVar(&labels, "labels", nil, "labels that the agent gets besides its own")
	cmd.Flags().StringSliceVar(&accounts, "accounts", nil, "the only users as whom tasks are given to the agent (default: those that it allows)")
	cmd.AddCommand(
		getter(g, "list", "List the tokens that can be used", cobra.NoArgs, tokensTable,
			func(ctx context.Context, svc engine.Service, _ string, p engine.Page) (*engine.List[engine.AgentTokenView], error) {
				return svc.AgentTokens(ctx, p)
			}),
		&cobra.Command{
			Use: "revoke ID", Short: "Take a token back that was not used", Args: argsAs(cobra.ExactArgs(1)),
			RunE: withClient(g, func(ctx context.Context, svc engine.Service, args []string) error {
				return svc.RevokeAgentToken(ctx, args[0])
			}),
		},
	)
	return cmd
}
