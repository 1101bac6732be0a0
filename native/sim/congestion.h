/* Congestion control of a simulated sender: a law says how many pieces may be under way and how
 * fast they may leave. Windows are in pieces (TCP's segments, QUIC's packets), as in the kernel. */
#ifndef MP_SIM_CONGESTION_H
#define MP_SIM_CONGESTION_H

#include <stdbool.h>
#include <stdint.h>

#define MP_WINDOW_INITIAL 10u /* RFC 6928 */
#define MP_WINDOW_LEAST 2u
#define MP_THRESHOLD_NONE 0x7fffffffu

enum mp_congestion_kind { MP_CONGESTION_CUBIC, MP_CONGESTION_BBR, MP_CONGESTION_NEWRENO };

/* What one acknowledgement said. */
struct mp_ack {
  uint64_t now_us;
  uint64_t una, next;   /* pieces: acknowledged below, sent below */
  uint64_t rtt_us;      /* 0: no sample */
  uint64_t min_rtt_us, srtt_us;
  uint32_t delivered;   /* pieces, newly */
  uint32_t lost;        /* pieces, newly taken for lost */
  uint32_t in_flight, prior_in_flight;
  uint64_t total_delivered;
  uint64_t prior_delivered, interval_us; /* sample of the delivery rate; interval 0: none */
  bool may_grow;        /* in order, not in recovery, and the window was the limit */
  bool recovering;      /* in recovery or after a timeout */
  bool retransmitted;   /* the newest piece delivered was a retransmission */
};

struct mp_cubic {
  uint64_t epoch_us; /* 0: none */
  uint32_t last_max, origin;
  double k_s;
  uint32_t reno_window, acked;
  uint32_t count; /* pieces to be acknowledged for one more in the window */
  uint64_t updated_us;
  uint32_t updated_window;
  uint64_t min_delay_us;
  /* HyStart. */
  bool found;
  uint64_t round_us, last_ack_us, round_end, round_delay_us;
  uint32_t samples;
};

#define MP_BBR_ROUNDS 10u

struct mp_bbr {
  uint8_t mode, phase;
  /* Greatest delivery rate of the last ten rounds, pieces a second. */
  double rates[MP_BBR_ROUNDS];
  uint64_t round_delivered, rounds, rated_round; /* rated: with the newest sample in the filter */
  bool round_start;
  bool is_limited; /* what was sent last of what came now: so few were under way by will */
  uint64_t limited_from, limited_to; /* delivered when it was sent */
  uint64_t min_rtt_us, min_rtt_at_us;
  uint64_t probe_until_us;
  bool probe_round_done;
  uint64_t phase_at_us;
  double full_rate;
  uint8_t full_rounds;
  bool full_reached;
  bool was_recovering, conserving;
  uint32_t prior_window;
  double pacing_gain, window_gain;
  /* Extra for aggregated acknowledgements (bbr_update_ack_aggregation). */
  uint64_t aggregate_us, aggregate_delivered;
  uint32_t extra[2];
  uint8_t extra_slot;
  uint64_t extra_rounds;
  uint64_t random;
};

struct mp_congestion {
  const struct mp_congestion_law *law;
  uint32_t window, threshold, growth; /* growth: acknowledged towards the next piece */
  double pacing_per_s;                /* pieces a second; 0: as fast as the window allows */
  union {
    struct mp_cubic cubic;
    struct mp_bbr bbr;
  };
};

struct mp_congestion_law {
  bool rules_recovery; /* sets the window in recovery, too: no proportional reduction there */
  void (*open)(struct mp_congestion *congestion, uint64_t seed, uint64_t rtt_us, uint64_t now_us);
  void (*on_ack)(struct mp_congestion *congestion, const struct mp_ack *ack);
  /* The threshold for an episode of loss that begins now. */
  uint32_t (*on_loss)(struct mp_congestion *congestion);
  void (*on_timeout)(struct mp_congestion *congestion, const struct mp_ack *ack);
  /* The episode was none: the window is back. */
  void (*on_undo)(struct mp_congestion *congestion);
};

/* `rtt_us` is what the handshake took; 0: unknown. */
void mp_congestion_open(struct mp_congestion *congestion, enum mp_congestion_kind kind,
                        uint64_t seed, uint64_t rtt_us, uint64_t now_us);

/* Slow start up to the threshold (RFC 5681); what of `acked` is left for the avoidance. */
uint32_t mp_congestion_slow_start(struct mp_congestion *congestion, uint32_t acked);
/* One more piece for each `count` acknowledged. */
void mp_congestion_grow(struct mp_congestion *congestion, uint32_t count, uint32_t acked);

extern const struct mp_congestion_law mp_cubic_law, mp_bbr_law, mp_newreno_law;

#endif
