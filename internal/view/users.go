package view

import "esd/internal/plan"

// users are the packages that another one of an environment comes in for, by its
// address.
type users map[string]user

type user struct {
	verb  string // what the other one is needed for
	first string // the first of them by name
	n     int
}

// usersOf finds out which builds of a plan need which packages of environments,
// and which packages that are fetched need others beside them.
func usersOf(p *plan.Plan) users {
	u := users{}
	u.add(p, plan.Build, "to build")
	u.add(p, plan.Fetch, "by")
	return u
}

func (u users) add(p *plan.Plan, op plan.Action, verb string) {
	for i := range p.Steps {
		s := &p.Steps[i]
		if s.Kind != packageKind || s.Op != string(op) {
			continue
		}
		_, name := placeOf(s.Kind, s.Address)
		for _, need := range s.Needs {
			address := objectOf(need)
			if address == s.Address {
				continue
			}
			by, known := u[address]
			if known && by.verb != verb {
				continue
			}
			by.verb = verb
			if by.n++; by.n == 1 || name < by.first {
				by.first = name
			}
			u[address] = by
		}
	}
}

// of says what a package is needed for that nobody asked for; empty for others.
func (u users) of(c *plan.Change) string {
	by := u[c.Address]
	if by.n == 0 || c.Asked || c.Kind != packageKind || c.Action != plan.Build && c.Action != plan.Fetch {
		return ""
	}
	text := "; needed " + by.verb + " " + bareName(by.first)
	if by.n > 1 {
		text += " and " + Number(by.n-1) + " more"
	}
	return text
}
