package node

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"time"

	"speedlayer/internal/problem"
	"speedlayer/internal/tokens"
)

// TokensPath is where tokens are made, listed and revoked.
const TokensPath = "/api/v1/tokens"

// TokenAnswer is a token as the API tells it: without its hash, and with the secret
// only when it was made.
type TokenAnswer struct {
	ID      string       `json:"id"`
	Name    string       `json:"name,omitempty"`
	Scope   tokens.Scope `json:"scope"`
	Created time.Time    `json:"created"`
	Token   string       `json:"token,omitempty"`
}

func answerToken(t tokens.Token, secret string) TokenAnswer {
	return TokenAnswer{t.ID, t.Name, t.Scope, t.Created, secret}
}

// handlers are those of tokens. Tokens change here or offline.
func (a *access) handlers() map[string]problem.Methods {
	return map[string]problem.Methods{TokensPath: {http.MethodGet: a.list, http.MethodPost: a.create, http.MethodDelete: a.revoke}}
}

func (a *access) list(w http.ResponseWriter, r *http.Request) {
	all, err := tokens.List(r.Context(), a.rows)
	if err != nil {
		problem.Write(w, problem.Details{Status: http.StatusServiceUnavailable, Detail: err.Error(), RetryAfter: 1})
		return
	}
	answers := []TokenAnswer{}
	for _, t := range all {
		answers = append(answers, answerToken(t, ""))
	}
	writeJSON(w, http.StatusOK, map[string]any{"tokens": answers})
}

func (a *access) create(w http.ResponseWriter, r *http.Request) {
	var in struct{ Scope, Name string }
	if err := json.NewDecoder(io.LimitReader(r.Body, 4<<10)).Decode(&in); err != nil {
		problem.Write(w, problem.Details{Status: http.StatusBadRequest, Detail: "the body: " + err.Error(), Allowed: `{"scope":"read"|"admin","name":TEXT}`})
		return
	}
	scope, err := tokens.ParseScope(in.Scope)
	if err != nil {
		problem.Write(w, problem.Details{Status: http.StatusBadRequest, Field: "scope", Detail: err.Error(), Allowed: "read, admin"})
		return
	}
	t, secret, err := tokens.Create(r.Context(), a.rows, scope, in.Name, time.Now())
	if err != nil {
		problem.Write(w, problem.Details{Status: http.StatusBadRequest, Detail: err.Error()})
		return
	}
	a.forget()
	writeJSON(w, http.StatusCreated, answerToken(t, secret))
}

var tokenID = regexp.MustCompile("^[0-9a-f]{16}$")

func (a *access) revoke(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("id")
	if !tokenID.MatchString(id) {
		problem.Write(w, problem.Details{Status: http.StatusBadRequest, Field: "id", Detail: "it is not the ID of a token", Allowed: "16 hexadecimal digits, lower case"})
		return
	}
	err := tokens.Revoke(r.Context(), a.rows, id)
	if err != nil && !errors.Is(err, tokens.ErrNone) {
		problem.Write(w, problem.Details{Status: http.StatusServiceUnavailable, Detail: err.Error(), RetryAfter: 1})
		return
	}
	a.forget()
	writeJSON(w, http.StatusOK, map[string]bool{"revoked": err == nil})
}

// WithTokens calls do with the rows of a store that no running process holds.
func WithTokens(ctx context.Context, c Config, do func(tokens.Rows) error) error {
	c.setDefaults()
	n := &Node{opts: c, failed: make(chan error, 1), cancel: func() {}}
	if c.OpenStore == nil {
		if err := n.lockData(); err != nil {
			return err
		}
	}
	err := n.openStore(ctx)
	if err == nil {
		err = do(n.store)
	}
	return errors.Join(err, n.closeBackends())
}
