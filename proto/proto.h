/*
 * proto.h - the front door of proto/: the bytes on the wire.
 *
 * PROTOCOL.md says what they are; frame.h, noise.h and envelope.h carry a
 * message, messages.h says which there are, limits.h how large anything may be. Other
 * folders include this and nothing else of proto/.
 */
#ifndef MG_PROTO_PROTO_H
#define MG_PROTO_PROTO_H

#include "proto/alert.h"
#include "proto/bundle_head.h"
#include "proto/envelope.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include "proto/messages.h"
#include "proto/noise.h"

#endif
