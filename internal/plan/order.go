package plan

import (
	"esd/internal/graph"
)

// Graph is the graph of the plan's steps, by their identities.
func (p *Plan) Graph() (*graph.DAG, error) {
	b := graph.New()
	for _, s := range p.Steps {
		b.AddNode(s.ID)
	}
	for _, s := range p.Steps {
		for _, need := range s.Needs {
			if err := b.AddEdge(s.ID, need); err != nil {
				return nil, err
			}
		}
	}
	return b.Build()
}

// orderSteps sorts the steps so that each stands after those that it needs.
func orderSteps(p *Plan, dag *graph.DAG) {
	position := positions(p)
	sorted := make([]Step, 0, len(p.Steps))
	for _, node := range dag.Order() {
		sorted = append(sorted, p.Steps[position[dag.ID(node)]])
	}
	p.Steps = sorted
}

// positions tells where each step stands in the plan.
func positions(p *Plan) map[string]int {
	position := make(map[string]int, len(p.Steps))
	for i, s := range p.Steps {
		position[s.ID] = i
	}
	return position
}
