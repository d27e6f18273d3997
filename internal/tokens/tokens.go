// Package tokens keeps who may read answers and operate the system: random tokens,
// of which the store has the hashes only.
package tokens

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Scope is what a token is for. A higher one includes the lower.
type Scope string

// The scopes.
const (
	Read  Scope = "read"  // answers, the dashboard, status, metrics
	Admin Scope = "admin" // also changes: equiv edges, batch runs, tokens; and cells as they are stored
)

// ParseScope reads a scope.
func ParseScope(text string) (Scope, error) {
	if s := Scope(text); s == Read || s == Admin {
		return s, nil
	}
	return "", fmt.Errorf("scope %q: allowed are read, admin", text)
}

// Includes reports whether a token of this scope may do what another is for.
func (s Scope) Includes(o Scope) bool { return s == Admin || s == o }

// Token is what is known of a token.
type Token struct {
	ID      string    `json:"id"` // public, for revoke
	Name    string    `json:"name,omitempty"`
	Scope   Scope     `json:"scope"`
	Hash    string    `json:"hash"` // hex of the SHA-256 of the secret
	Created time.Time `json:"created"`
}

// Rows is the part of a store in which they are (store.Control).
type Rows interface {
	Row(ctx context.Context, name string) ([]byte, error)
	SwapRow(ctx context.Context, name string, from, to []byte) (won bool, err error)
}

const (
	rowName  = "tokens"
	prefix   = "slt_" // of a secret, so that scanners find one that was published
	attempts = 10
	most     = 1000
	nameMax  = 100
)

// ErrNone: there is no token of this ID.
var ErrNone = errors.New("no such token")

// List returns all tokens, the oldest first.
func List(ctx context.Context, rows Rows) ([]Token, error) {
	all, _, err := read(ctx, rows)
	return all, err
}

func read(ctx context.Context, rows Rows) (all []Token, row []byte, err error) {
	if row, err = rows.Row(ctx, rowName); err != nil || row == nil {
		return nil, row, err
	}
	if err := json.Unmarshal(row, &all); err != nil {
		return nil, row, fmt.Errorf("tokens: %w", err)
	}
	return all, row, nil
}

// Create makes a token. The secret is returned here and never again.
func Create(ctx context.Context, rows Rows, scope Scope, name string, now time.Time) (t Token, secret string, err error) {
	if len(name) > nameMax {
		return t, "", fmt.Errorf("name of %d bytes: allowed are %d", len(name), nameMax)
	}
	random := make([]byte, 32+8)
	_, _ = rand.Read(random) // never fails
	secret = prefix + base64.RawURLEncoding.EncodeToString(random[:32])
	t = Token{ID: hex.EncodeToString(random[32:]), Name: name, Scope: scope, Hash: hashOf(secret), Created: now.UTC().Truncate(time.Second)}
	return t, secret, change(ctx, rows, func(all []Token) ([]Token, error) {
		if len(all) >= most {
			return nil, fmt.Errorf("there are %d tokens: revoke some", len(all))
		}
		return append(all, t), nil
	})
}

// Revoke takes a token away.
func Revoke(ctx context.Context, rows Rows, id string) error {
	return change(ctx, rows, func(all []Token) ([]Token, error) {
		i := slices.IndexFunc(all, func(t Token) bool { return t.ID == id })
		if i < 0 {
			return nil, fmt.Errorf("%w: %q", ErrNone, id)
		}
		return slices.Delete(all, i, i+1), nil
	})
}

func change(ctx context.Context, rows Rows, to func([]Token) ([]Token, error)) error {
	for range attempts {
		all, row, err := read(ctx, rows)
		if err != nil {
			return err
		}
		if all, err = to(all); err != nil {
			return err
		}
		text, err := json.Marshal(all)
		if err != nil {
			return err
		}
		if won, err := rows.SwapRow(ctx, rowName, row, text); won || err != nil {
			return err
		}
	}
	return errors.New("tokens: others change them all the time: try again")
}

// Find returns the token of a secret; nil if there is none.
func Find(all []Token, secret string) *Token {
	hash := hashOf(secret)
	var found *Token
	for i := range all {
		if subtle.ConstantTimeCompare([]byte(all[i].Hash), []byte(hash)) == 1 {
			found = &all[i]
		}
	}
	return found
}

func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
