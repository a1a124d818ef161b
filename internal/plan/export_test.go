package plan

// ForecastOf is the forecast for the steps of a plan, which it puts into their
// order.
func ForecastOf(p *Plan, cpus int, memory int64) (Forecast, error) {
	dag, err := p.Graph()
	if err != nil {
		return Forecast{}, err
	}
	orderSteps(p, dag)
	return forecastOf(p.Steps, dag, cpus, memory), nil
}
