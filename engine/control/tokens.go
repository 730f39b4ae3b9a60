package control

import (
	"context"
	"strings"
	"time"

	"flowctl/engine"
	"flowctl/engine/core"
)

// AgentToken implements engine.Service.
func (s *Service) AgentToken(ctx context.Context, r engine.AgentTokenRequest) (*engine.AgentToken, error) {
	ttl := time.Duration(r.TTLS * float64(time.Second))
	if ttl <= 0 {
		return nil, &engine.Error{Code: engine.Invalid, Field: "ttl_s", Message: "a token that is valid for no time is of no use: give a positive ttl"}
	}
	for _, l := range r.Labels {
		if name, _, _ := strings.Cut(l, "="); name == "" {
			return nil, &engine.Error{Code: engine.Invalid, Field: "labels", Message: "a label is NAME or NAME=VALUE, not " + l}
		}
	}
	l, err := s.lead()
	if err != nil {
		return nil, err
	}
	by := s.Caller(ctx)
	token, err := s.Trust.Token(ctx, ttl, by, engine.Grant{Labels: r.Labels, Accounts: r.Accounts})
	if err != nil {
		return nil, err
	}
	_, err = l.Do(ctx, core.Noted{By: by, Verb: "token", Target: "agents", Detail: token.ID + ", valid for " + ttl.String()})
	return token, err
}

// AgentTokens implements engine.Service.
func (s *Service) AgentTokens(ctx context.Context, p engine.Page) (*engine.List[engine.AgentTokenView], error) {
	rows, err := s.Store.Tokens(ctx, s.Now())
	if err != nil {
		return nil, err
	}
	views := make([]engine.AgentTokenView, len(rows))
	for i := range rows {
		t := &rows[i]
		views[i] = engine.AgentTokenView{
			ID: t.ID(), By: t.By, MadeAt: t.Made, ExpiresAt: t.Expires, Labels: append([]string{}, t.Grant.Labels...),
			Accounts: append([]string{}, t.Grant.Accounts...),
		}
	}
	return page(views, func(t engine.AgentTokenView) string { return t.ExpiresAt.Format("2006-01-02T15:04:05.000000Z") + t.ID }, p), nil
}

// RevokeAgentToken implements engine.Service.
func (s *Service) RevokeAgentToken(ctx context.Context, id string) error {
	l, err := s.lead()
	if err != nil {
		return err
	}
	if err := s.Store.DeleteToken(ctx, id); err != nil {
		return err
	}
	_, err = l.Do(ctx, core.Noted{By: s.Caller(ctx), Verb: "revoke-token", Target: "agents", Detail: id})
	return err
}
