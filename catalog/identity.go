package catalog

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"

	"speedlayer/store"
)

// identityRow is the named row with the store's id.
const identityRow = "identity"

// Identity returns the store's id: 32 hex digits, drawn at the first call. Two
// addresses that lead to one store have one id, and a store that is made again under
// the same address has another.
func Identity(ctx context.Context, st store.Control) (string, error) {
	for range attempts {
		row, err := st.Row(ctx, identityRow)
		if err != nil {
			return "", err
		}
		if row != nil {
			if id, err := hex.DecodeString(string(row)); err != nil || len(id) != 16 {
				return "", fmt.Errorf("%w: row %s: %q is not 32 hex digits", store.ErrCorrupt, identityRow, row)
			}
			return string(row), nil
		}
		var id [16]byte
		_, _ = rand.Read(id[:]) // never fails
		if _, err := st.SwapRow(ctx, identityRow, nil, []byte(hex.EncodeToString(id[:]))); err != nil {
			return "", err
		}
	}
	return "", errors.New("catalog: the store takes an id and does not have it")
}
