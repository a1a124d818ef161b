package state

// Notice is something that went well but that the user should hear of: a lock
// taken over from a dead process, a journal folded in.
type Notice struct {
	// Kind tells notices apart for programs, such as "lock-taken-over". It is
	// one of the Notice… constants of the package that gives the notice.
	Kind string
	// Summary is one line without a full stop.
	Summary string
	// Detail says more, in sentences. It may be empty.
	Detail string
}
