package state

// CheckSuccession reports, as a *ConflictError, why next must not be written
// over recorded: another lineage, or a serial that is not higher. Nothing
// recorded is nil.
func CheckSuccession(recorded *Header, next Header) error {
	if recorded == nil || recorded.Lineage == next.Lineage && recorded.Serial < next.Serial {
		return nil
	}
	return &ConflictError{Recorded: *recorded, Offered: next}
}

// PreparePush returns the state to write when the user pushes one over another
// (recorded is nil when there is none). Without force it is pushed itself, or a
// *ConflictError. With force it is pushed with a serial above both, so that
// whoever read the recorded one notices.
func PreparePush(recorded, pushed *State, force bool) (*State, error) {
	if recorded == nil {
		return pushed, nil
	}
	header := recorded.Header()
	err := CheckSuccession(&header, pushed.Header())
	if err == nil || !force {
		return pushed, err
	}
	next := pushed.Clone()
	next.Serial = max(recorded.Serial, pushed.Serial) + 1
	return next, nil
}
