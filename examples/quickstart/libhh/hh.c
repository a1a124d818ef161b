#include "hh.h"

#include <math.h>

const struct hh_membrane hh_squid = {
    .capacitance = 1.0,
    .g_na = 120.0, .g_k = 36.0, .g_leak = 0.3,
    .e_na = 50.0, .e_k = -77.0, .e_leak = -54.387,
};

/* x / (1 - exp(-x)), which is 1 at 0, where the quotient is not defined. */
static double linoid(double x)
{
    return fabs(x) < 1e-6 ? 1.0 + x / 2.0 : x / (1.0 - exp(-x));
}

double hh_alpha(char gate, double v)
{
    switch (gate) {
    case 'm': return linoid((v + 40.0) / 10.0);
    case 'h': return 0.07 * exp(-(v + 65.0) / 20.0);
    default:  return 0.1 * linoid((v + 55.0) / 10.0);
    }
}

double hh_beta(char gate, double v)
{
    switch (gate) {
    case 'm': return 4.0 * exp(-(v + 65.0) / 18.0);
    case 'h': return 1.0 / (1.0 + exp(-(v + 35.0) / 10.0));
    default:  return 0.125 * exp(-(v + 65.0) / 80.0);
    }
}

static double gate_equilibrium(char gate, double v)
{
    double alpha = hh_alpha(gate, v);
    return alpha / (alpha + hh_beta(gate, v));
}

struct hh_state hh_equilibrium(double v)
{
    struct hh_state s = {
        .v = v,
        .m = gate_equilibrium('m', v),
        .h = gate_equilibrium('h', v),
        .n = gate_equilibrium('n', v),
    };
    return s;
}

static double gate_slope(char gate, double v, double x)
{
    return hh_alpha(gate, v) * (1.0 - x) - hh_beta(gate, v) * x;
}

/* The right-hand side of the four differential equations. */
static struct hh_state slope(const struct hh_membrane *p, const struct hh_state *s, double current)
{
    double i_na = p->g_na * s->m * s->m * s->m * s->h * (s->v - p->e_na);
    double i_k = p->g_k * s->n * s->n * s->n * s->n * (s->v - p->e_k);
    double i_leak = p->g_leak * (s->v - p->e_leak);
    struct hh_state d = {
        .v = (current - i_na - i_k - i_leak) / p->capacitance,
        .m = gate_slope('m', s->v, s->m),
        .h = gate_slope('h', s->v, s->h),
        .n = gate_slope('n', s->v, s->n),
    };
    return d;
}

/* s + w * d */
static struct hh_state along(const struct hh_state *s, double w, const struct hh_state *d)
{
    struct hh_state r = { s->v + w * d->v, s->m + w * d->m, s->h + w * d->h, s->n + w * d->n };
    return r;
}

void hh_step(const struct hh_membrane *membrane, struct hh_state *state, double current, double dt)
{
    struct hh_state k1 = slope(membrane, state, current);
    struct hh_state s2 = along(state, dt / 2.0, &k1);
    struct hh_state k2 = slope(membrane, &s2, current);
    struct hh_state s3 = along(state, dt / 2.0, &k2);
    struct hh_state k3 = slope(membrane, &s3, current);
    struct hh_state s4 = along(state, dt, &k3);
    struct hh_state k4 = slope(membrane, &s4, current);

    *state = along(state, dt / 6.0, &k1);
    *state = along(state, dt / 3.0, &k2);
    *state = along(state, dt / 3.0, &k3);
    *state = along(state, dt / 6.0, &k4);
}

int hh_count_spikes(const struct hh_membrane *membrane, double current, double duration, double dt)
{
    struct hh_state s = hh_equilibrium(-65.0);
    long steps = lround(duration / dt);
    int spikes = 0;
    for (long i = 0; i < steps; i++) {
        double before = s.v;
        hh_step(membrane, &s, current, dt);
        spikes += before < 0.0 && s.v >= 0.0;
    }
    return spikes;
}
