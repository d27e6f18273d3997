package main

const (
	embeddedPkg = "queue/embedded"
	recordPkg   = "record"
	verifyPkg   = "verify"
	nodePkg     = "node"

	outsideGo  = "queue/embedded/outside.go"
	accessGo   = "queue/embedded/access.go"
	producedGo = "queue/embedded/produced.go"
	trustGo    = "record/trust.go"
	accountGo  = "verify/account.go"
	accessHTTP = "node/access.go"
)

// securityMutants let in who does not belong there.
var securityMutants = []mutant{
	{name: "port-open-to-all", line: "security", what: "the broker checks no rules",
		edits: []edit{{accessGo, "kfake.EnableACLs(), ", ""}},
		pkg:   embeddedPkg, run: "^TestOutsidersAdministerNothing$"},
	{name: "port-writes-anything", line: "security", what: "other programs may append to every topic",
		edits: []edit{{accessGo, `allow("*", kmsg.ACLResourceTypeTopic, t, kmsg.ACLOperationRead,`, `allow("*", kmsg.ACLResourceTypeTopic, t, kmsg.ACLOperationWrite, kmsg.ACLOperationRead,`}},
		pkg:   embeddedPkg, run: "^TestOutsidersAdministerNothing$"},
	{name: "port-takes-internal-headers", line: "security", what: "records with the system's headers are passed on",
		edits: []edit{{producedGo, "		if hasInternal(content[used : used+int(length)]) {\n			return errInternal\n		}\n", ""}},
		pkg:   embeddedPkg, run: "^TestOutsidersForgeNothing$"},
	{name: "port-trusts-packed", line: "security", what: "batches are not unpacked before they are searched",
		edits: []edit{{producedGo, "codec := b.attributes() & 7; codec != 0", "codec := b.attributes() & 7; codec > 7"}},
		pkg:   embeddedPkg, run: "^TestOutsidersForgeNothing$"},
	{name: "port-counts-announced", line: "security", what: "room is made for what a request announces",
		edits: []edit{{outsideGo, "n := min(size-have, max(have, firstBytes))", "n := size - have"}},
		pkg:   embeddedPkg, run: "^TestOutsidersUnfinishedRequests$"},
	{name: "port-unbounded-batch", line: "security", what: "a batch may unpack to any size",
		edits: []edit{{"queue/embedded/unpack.go", "if err == nil && len(out) > maxBatchSize {", "if false {"}},
		pkg:   embeddedPkg, run: "^TestUnpackBound$"},
	{name: "port-unbounded-fetch", line: "security", what: "a fetch gets as much as it asks for",
		edits: []edit{{outsideGo, "req.MaxBytes = min(req.MaxBytes, maxFetched)", ""}},
		pkg:   embeddedPkg, run: "^TestBoundFetch$"},
	{name: "unsigned-marker", line: "security", what: "a marker counts without a signature",
		edits: []edit{{trustGo, "if !IsMarker(r) || !t.marker(r, at) {", "if !IsMarker(r) {"}},
		pkg:   recordPkg, run: "^TestTrust$"},
	{name: "signature-of-any-partition", line: "security", what: "a marker's signature holds in every partition",
		edits: []edit{{trustGo, "t.markerSum(at.Partition, r.Value))", "t.markerSum(2, r.Value))"}},
		pkg:   recordPkg, run: "^TestTrust$"},
	{name: "unsigned-source", line: "security", what: "a forged source counts",
		edits: []edit{{"record/classify.go", "from != nil && c.Trust.rerouted(r, is.From, from)", "from != nil"}},
		pkg:   recordPkg, run: "^TestTrust$"},
	{name: "signature-without-person", line: "security", what: "the signature of a rerouted record does not cover its person",
		edits: []edit{{trustGo, "	h.Write(key)\n", ""}},
		pkg:   recordPkg, run: "^TestTrust$"},
	{name: "old-in-every-epoch", line: "security", what: "records count without a signature in later log epochs too",
		edits: []edit{{trustGo, "return at.Epoch < t.Epoch", "return true"}},
		pkg:   recordPkg, run: "^TestTrust$"},
	{name: "scope-not-asked", line: "security", what: "a token of any scope may do everything",
		edits: []edit{{accessHTTP, "case !t.Scope.Includes(need):", "case false:"}},
		pkg:   nodePkg, run: "^TestTokens$"},
	{name: "route-without-rule-is-open", line: "security", what: "stored cells are for everybody",
		edits: []edit{{accessHTTP, `"GET /api/v1/cells": tokens.Admin,`, `"GET /api/v1/cells": public,`}},
		pkg:   nodePkg, run: "^TestTokens$"},
	{name: "any-host", line: "security", what: "the loopback is reached under any name",
		edits: []edit{{accessHTTP, "if a.loopback && !a.knownHost(r.Host) {", "if false {"}},
		pkg:   nodePkg, run: "^TestTokens$"},
	{name: "open-to-all", line: "security", what: "a server without tokens starts on every address",
		edits: []edit{{accessHTTP, "if !a.loopback && len(all) == 0 && !a.ingestOnly && !a.insecure {", "if len(all) < 0 {"}},
		pkg:   nodePkg, run: "^TestOpenAddress$"},
	{name: "revoked-token-lives", line: "security", what: "a token that was revoked is remembered",
		edits: []edit{{"node/tokenapi.go", "	err := tokens.Revoke(r.Context(), a.rows, id)\n", "	err := error(nil)\n"}},
		pkg:   nodePkg, run: "^TestTokens$"},
	{name: "secret-in-the-store", line: "security", what: "the store keeps the token itself",
		edits: []edit{{"internal/tokens/tokens.go", "Hash: hashOf(secret)", "Hash: secret"}},
		pkg:   nodePkg, run: "^TestTokens$"},
	{name: "links-followed", line: "security", what: "symbolic links in the data directory are followed",
		edits: []edit{{"node/datadir.go", "if err == nil && d.Type()&fs.ModeSymlink != 0 {", "if false {"}},
		pkg:   nodePkg, run: "^TestDataDirectory$"},
	{name: "loss-not-looked-for", line: "security", what: "verify does not look for second copies without a first one",
		edits: []edit{{accountGo, "if last, ok := a.highest[partition]; ok && from.Offset <= last {", "if false {"}},
		pkg:   verifyPkg, run: "^TestLossIsFound$"},
}
