package event

import (
	"github.com/OneOfOne/xxhash"
	"github.com/zeebo/xxh3"
)

// personSeed makes PersonHash the function that Spark SQL calls xxhash64.
const personSeed = 42

// PersonHash is XXH64 with seed 42 over the bytes of a person.
func PersonHash(person []byte) uint64 { return xxhash.Checksum64S(person, personSeed) }

// NonceHash is the half of a dedupe pair that stands for the nonce: XXH3, so
// that it is another function than the one of the person beside it.
func NonceHash(nonce []byte) uint64 { return xxh3.Hash(nonce) }
