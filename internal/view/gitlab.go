package view

import (
	"encoding/json"
	"io"

	"esd/internal/plan"
)

// gitLabCounts is what GitLab reads as artifacts:reports:terraform.
type gitLabCounts struct {
	Create int `json:"create"`
	Update int `json:"update"`
	Delete int `json:"delete"`
}

// GitLabReport writes the three numbers that GitLab shows of a plan beside a
// merge request. They count the actions in PlanJSON, as GitLab's manual does it
// for Terraform: what is built counts as created, or as updated where another
// version of it was recorded; what is fetched, reused, adopted, moved or
// forgotten does not count, since it exists already and nothing becomes of it.
func GitLabReport(w io.Writer, p *plan.Plan) error {
	n := actionsOf(p)
	data, err := json.Marshal(gitLabCounts{n.create, n.update, n.remove})
	if err != nil {
		return err
	}
	_, err = w.Write(append(data, '\n'))
	return err
}
