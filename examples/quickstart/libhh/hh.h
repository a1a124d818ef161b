/*
 * libhh - one compartment of the squid giant axon, after A. L. Hodgkin and
 * A. F. Huxley, "A quantitative description of membrane current and its
 * application to conduction and excitation in nerve", J. Physiol. 117 (1952).
 *
 * Units: mV, ms, uA/cm2, mS/cm2, uF/cm2. Voltages are absolute, with the
 * resting potential at -65 mV, not relative to rest as in the original.
 */
#ifndef HH_H
#define HH_H

/* The state of the membrane: voltage and the three gating variables. */
struct hh_state {
    double v; /* membrane potential, mV */
    double m; /* activation of the sodium channels, 0 to 1 */
    double h; /* inactivation of the sodium channels, 0 to 1 */
    double n; /* activation of the potassium channels, 0 to 1 */
};

/* What a membrane is made of. */
struct hh_membrane {
    double capacitance;         /* uF/cm2 */
    double g_na, g_k, g_leak;   /* maximal conductances, mS/cm2 */
    double e_na, e_k, e_leak;   /* reversal potentials, mV */
};

/* The membrane of the paper, at 6.3 degrees Celsius. */
extern const struct hh_membrane hh_squid;

/* The state in which the gates are in equilibrium with the voltage v. */
struct hh_state hh_equilibrium(double v);

/* Opening and closing rates of a gate ('m', 'h' or 'n') at voltage v, 1/ms. */
double hh_alpha(char gate, double v);
double hh_beta(char gate, double v);

/* Advances the state by dt ms under an injected current, by the classical
 * fourth-order Runge-Kutta method. */
void hh_step(const struct hh_membrane *membrane, struct hh_state *state, double current, double dt);

/* Counts the action potentials that begin within `duration` ms, starting from
 * rest: upward crossings of 0 mV. */
int hh_count_spikes(const struct hh_membrane *membrane, double current, double duration, double dt);

#endif
