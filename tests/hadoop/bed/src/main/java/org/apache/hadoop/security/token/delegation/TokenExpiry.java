package org.apache.hadoop.security.token.delegation;

/** In Hadoop's package, because the table of tokens is open to that alone. */
public final class TokenExpiry {
    private TokenExpiry() {
    }

    /**
     * Every token that is out is past its renewal from now on, until somebody renews it. Kept in memory only: the other NameNode,
     * or this one after a restart, does not know.
     *
     * @return how many there were
     */
    public static int expireAll(AbstractDelegationTokenSecretManager<?> secrets) {
        synchronized (secrets) {
            secrets.currentTokens.values().forEach(token -> token.renewDate = System.currentTimeMillis() - 1);
            return secrets.currentTokens.size();
        }
    }
}
