package httpstate

import "time"

// Limit bounds what a client reads of a state, so that tests need not send more
// than a state may have.
func (b *Backend) Limit(bytes int) { b.client.limit = bytes }

// What the tests of the package look at.
var (
	Marked  = marked
	LeaseOf = leaseOf
	Pack    = pack
	Unpack  = unpack
)

// ParseHolder is parseHolder without what it returns.
func ParseHolder(body []byte) string { return parseHolder(body).ID }

// SignOf is the document of the lease of a lock.
func SignOf(lock any, serial int64, renewed time.Time) map[string]any {
	return map[string]any{"lease_version": signVersion, "lineage": "x", "serial": serial, "lock": lock, "renewed": renewed}
}
