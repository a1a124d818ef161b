/* lattice - the Ising model on a square lattice, by Metropolis sampling.
 *
 * REAL and SIZE are chosen by the build: that is what the variants differ in.
 */
#include <math.h>
#include <stdio.h>

#ifndef REAL
#define REAL double
#endif
#ifndef SIZE
#define SIZE 32
#endif
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

static int spin[SIZE][SIZE];
static unsigned long long seed = 88172645463325252ULL;

/* A xorshift generator: the same numbers on every machine. */
static double uniform(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (double)(seed >> 11) / 9007199254740992.0;
}

static void sweep(REAL temperature)
{
    for (int k = 0; k < SIZE * SIZE; k++) {
        int i = (int)(uniform() * SIZE), j = (int)(uniform() * SIZE);
        int around = spin[(i + 1) % SIZE][j] + spin[(i + SIZE - 1) % SIZE][j] + spin[i][(j + 1) % SIZE] +
                     spin[i][(j + SIZE - 1) % SIZE];
        REAL cost = (REAL)(2 * spin[i][j] * around);
        if (cost <= 0 || uniform() < exp(-(double)(cost / temperature)))
            spin[i][j] = -spin[i][j];
    }
}

int main(void)
{
    static const double temperatures[] = {1.5, 2.0, 2.269, 3.0, 4.0};
    printf("# %d x %d spins, %s\n# T  |magnetization|\n", SIZE, SIZE, TEXT(REAL));
    for (size_t t = 0; t < sizeof temperatures / sizeof *temperatures; t++) {
        for (int i = 0; i < SIZE; i++)
            for (int j = 0; j < SIZE; j++)
                spin[i][j] = 1;
        double sum = 0;
        for (int s = 0; s < 600; s++) {
            sweep((REAL)temperatures[t]);
            int m = 0;
            for (int i = 0; i < SIZE; i++)
                for (int j = 0; j < SIZE; j++)
                    m += spin[i][j];
            if (s >= 200)
                sum += fabs((double)m) / (SIZE * SIZE) / 400;
        }
        printf("%.3f %.3f\n", temperatures[t], sum);
    }
    return 0;
}
